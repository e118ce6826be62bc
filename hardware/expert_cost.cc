#include "hardware/expert_cost.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "hardware/gemm_cost.h"

namespace hardware {
namespace {

double AsDouble(sim::Bytes bytes) { return static_cast<double>(bytes.count()); }

double TilesOf(const models::GroupedGemm& gemm, ExpertLaw::Tile tile) {
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
  const auto k = static_cast<double>(gemm.k);
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

bool Runs(const Calibration& calibration, models::ExpertKernels family,
          models::DType dtype) {
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
