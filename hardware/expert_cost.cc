#include "hardware/expert_cost.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "hardware/gemm_cost.h"

namespace hardware {
namespace {

double AsDouble(sim::Bytes bytes) { return static_cast<double>(bytes.count()); }

// The tiles of a weight's gradient cover the weight itself.
double TilesOf(const models::GroupedGemm& gemm, ExpertLaw::Tile tile) {
  if (gemm.weight_gradient) {
    return gemm.rows.active *
           static_cast<double>((gemm.k + tile.m - 1) / tile.m) *
           static_cast<double>((gemm.n + tile.n - 1) / tile.n);
  }
  const auto& heights = models::kTileHeights;
  const auto at = std::find(heights.begin(), heights.end(), tile.m);
  assert(at != heights.end());
  return gemm.rows.tiles[static_cast<size_t>(at - heights.begin())] *
         static_cast<double>((gemm.n + tile.n - 1) / tile.n);
}

KernelCost CostWith(const GpuSpec& gpu, const ExpertLaw& law,
                    const models::GroupedGemm& gemm, double sustained_time,
                    ExpertLaw::Tile tile) {
  const double multiprocessors = gpu.multiprocessors;
  const auto tm = static_cast<double>(tile.m);
  const auto tn = static_cast<double>(tile.n);
  const double k = gemm.weight_gradient ? gemm.rows.rows / gemm.rows.active
                                        : static_cast<double>(gemm.k);
  const double rate =
      law.tensor_efficiency * gpu.peak[gemm.dtype].count() / multiprocessors;
  const double one =
      std::max(2 * tm * tn * k / rate,
               (tm + tn) * k * models::BitsOf(gemm.dtype) / 8 / law.l2_per_sm) +
      law.tile_seconds * tm * tn / (128 * 128);
  const double tiles = TilesOf(gemm, tile);
  const double waves = (1 - law.tail) * std::max(1.0, tiles / multiprocessors) +
                       law.tail * std::ceil(tiles / multiprocessors);
  const models::Work work = models::WorkOf(gemm);
  const double bandwidth =
      std::min(law.memory_efficiency * gpu.memory_bandwidth.count(),
               std::min(tiles, multiprocessors) * law.memory_per_sm);
  return {.fixed = law.launch_seconds,
          .compute = std::max(waves * one, sustained_time),
          .memory = AsDouble(work.read + work.written) / bandwidth};
}

}  // namespace

bool CallsCublas(models::ExpertKernels family) {
  return family == models::ExpertKernels::kTransformerEngine ||
         family == models::ExpertKernels::kSequential;
}

KernelCost CostOfCalls(const GpuSpec& gpu, const Calibration& calibration,
                       const models::GroupedGemm& gemm, L2 l2, double clock) {
  if (gemm.rows.rows <= 0) return {};
  const double mean = gemm.rows.rows / gemm.rows.active;
  const auto rounded = [](double n) {
    return std::max<int64_t>(1, std::llround(n));
  };
  models::Gemm one{.m = rounded(mean),
                   .n = gemm.n,
                   .k = gemm.k,
                   .dtype = gemm.dtype,
                   .output = gemm.output,
                   .accumulate = gemm.accumulate};
  if (gemm.weight_gradient) {
    one.m = gemm.k;
    one.k = rounded(mean);
  }
  if (gemm.family == models::ExpertKernels::kSequential) {
    KernelCost cost = CostOf(gpu, calibration, one, l2, clock);
    cost.fixed *= gemm.rows.active;
    cost.compute *= gemm.rows.active;
    cost.memory *= gemm.rows.active;
    return cost;
  }
  one.batch = rounded(gemm.rows.active);
  return CostOf(gpu, calibration, one, l2, clock);
}

bool Runs(const Calibration& calibration, models::ExpertKernels family,
          models::DType dtype) {
  if (CallsCublas(family)) {
    return Runs(calibration, models::Gemm{.dtype = dtype});
  }
  return calibration.expert.Of(family, dtype).tensor_efficiency > 0;
}

KernelCost CostOf(const GpuSpec& gpu, const Calibration& calibration,
                  const models::GroupedGemm& gemm) {
  const ExpertLaw& law = calibration.expert.Of(gemm.family, gemm.dtype);
  if (gemm.rows.rows <= 0) return {.fixed = law.launch_seconds};
  const double sustained_time =
      models::WorkOf(gemm).flops.count() /
      SustainedRate(gpu, calibration.power, gemm.dtype);
  if (gemm.tile_m > 0) {
    return CostWith(gpu, law, gemm, sustained_time, {gemm.tile_m, gemm.tile_n});
  }
  KernelCost best;
  double best_seconds = std::numeric_limits<double>::infinity();
  for (const ExpertLaw::Tile& tile : law.tiles) {
    const KernelCost cost = CostWith(gpu, law, gemm, sustained_time, tile);
    if (cost.seconds() < best_seconds) {
      best = cost;
      best_seconds = cost.seconds();
    }
  }
  return best;
}

KernelCost CostOf(const GpuSpec& gpu, const Calibration& calibration,
                  const models::ExpertPass& pass) {
  const ExpertLaw& law = calibration.expert.Of(pass.family, pass.dtype);
  const bool permutes = pass.step == models::ExpertStep::kPermute;
  const double efficiency =
      permutes ? law.permute_efficiency : law.pass_efficiency;
  KernelCost cost;
  cost.fixed = pass.kernels * law.launch_seconds;
  if (permutes) {
    cost.fixed += static_cast<double>(pass.experts) * law.expert_seconds;
  }
  cost.memory = AsDouble(pass.read + pass.written) /
                (efficiency * gpu.memory_bandwidth.count());
  return cost;
}

}  // namespace hardware
