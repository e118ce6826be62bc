#include "hardware/gemm_cost.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hardware {
namespace {

double CeilDiv(int64_t a, int64_t b) {
  return static_cast<double>((a + b - 1) / b);
}

double AsDouble(sim::Bytes bytes) { return static_cast<double>(bytes.count()); }

// Bytes the device memory moves. L2 that is warm holds most of B, the weight.
double Traffic(const models::Gemm& g, const GemmLaw& law, L2 l2) {
  const models::Work work = models::WorkOf(g);
  double bytes = AsDouble(work.read + work.written);
  if (l2 == L2::kWarm) {
    const sim::Bytes weight = models::BytesOf(g.dtype, g.batch * g.n * g.k);
    bytes -= (1 - law.warm_miss) * AsDouble(weight);
  }
  return bytes;
}

// What does not depend on the tile.
struct Shape {
  const models::Gemm& gemm;
  const GemmLaw& law;
  double multiprocessors;
  double tensor_rate;     // FLOP/s of one multiprocessor
  double feed_rate;       // bytes per second of operands into one
  double sustained_time;  // FLOPs at the sustained rate
  double traffic;         // bytes
  double bandwidth;       // bytes per second, all multiprocessors drawing
};

KernelCost CostWith(const Shape& shape, GemmLaw::Tile tile, int64_t split) {
  const models::Gemm& g = shape.gemm;
  const GemmLaw& law = shape.law;
  const auto tm = static_cast<double>(tile.m);
  const auto tn = static_cast<double>(tile.n);
  // The main loop steps through k by 64.
  const double k = 64 * CeilDiv(g.k, 64 * split);
  const double bytes_per_element = models::BitsOf(g.dtype) / 8.0;
  const double tiles = static_cast<double>(g.batch * split) *
                       CeilDiv(g.m, tile.m) * CeilDiv(g.n, tile.n);
  const double one =
      std::max(2 * tm * tn * k / shape.tensor_rate,
               (tm + tn) * k * bytes_per_element / shape.feed_rate);
  const double turnover = law.turnover_seconds * tm * tn / (128 * 128);
  const double waves = std::ceil(tiles / shape.multiprocessors);
  const double drawing = std::min(tiles, shape.multiprocessors);
  KernelCost cost;
  cost.fixed = law.launch_seconds;
  cost.compute =
      std::max(waves * one + (waves - 1) * turnover, shape.sustained_time);
  cost.memory =
      shape.traffic / std::min(shape.bandwidth, drawing * law.memory_per_sm);
  if (split > 1) {
    // Partial sums go through L2 in FP32, once out and once in.
    const double partial = 8.0 * static_cast<double>(split * g.batch) *
                           static_cast<double>(g.m) * static_cast<double>(g.n);
    cost.fixed +=
        law.split_seconds + partial / (law.l2_per_sm * shape.multiprocessors);
  }
  return cost;
}

}  // namespace

double SustainedRate(const GpuSpec& gpu, const PowerLaw& power,
                     models::DType dtype) {
  const double headroom = (gpu.power_watts - power.static_watts) /
                          (power.reference_watts - power.static_watts);
  const double fraction =
      power.sustained[dtype] * std::pow(headroom, power.exponent);
  return gpu.peak[dtype].count() * std::min(1.0, fraction);
}

KernelCost CostOf(const GpuSpec& gpu, const Calibration& calibration,
                  const models::Gemm& gemm, L2 l2) {
  const GemmLaw& law = calibration.gemm;
  const double multiprocessors = gpu.multiprocessors;
  const Shape shape{
      .gemm = gemm,
      .law = law,
      .multiprocessors = multiprocessors,
      .tensor_rate = law.tensor_efficiency * gpu.peak[gemm.dtype].count() /
                     multiprocessors,
      .feed_rate =
          law.l2_per_sm *
          (models::BitsOf(gemm.dtype) == 8 ? law.eight_bit_l2_efficiency : 1),
      .sustained_time = models::WorkOf(gemm).flops.count() /
                        SustainedRate(gpu, calibration.power, gemm.dtype),
      .traffic = Traffic(gemm, law, l2),
      .bandwidth = law.memory_efficiency * gpu.memory_bandwidth.count()};
  KernelCost best;
  double best_seconds = std::numeric_limits<double>::infinity();
  for (const GemmLaw::Tile& tile : law.tiles) {
    for (const int64_t split : law.splits) {
      const KernelCost cost = CostWith(shape, tile, split);
      if (cost.seconds() < best_seconds) {
        best = cost;
        best_seconds = cost.seconds();
      }
    }
  }
  return best;
}

}  // namespace hardware
