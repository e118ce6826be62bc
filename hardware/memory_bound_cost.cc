#include "hardware/memory_bound_cost.h"

#include <algorithm>

namespace hardware {

KernelCost CostOf(const GpuSpec& gpu, const Calibration& calibration,
                  const models::MemoryBound& kernel, L2 l2) {
  const MemoryBoundLaw& law = calibration.memory_bound;
  const double bandwidth =
      law.efficiency[kernel.kind] * gpu.memory_bandwidth.count();
  double bytes = static_cast<double>((kernel.read + kernel.written).count());
  if (l2 == L2::kWarm) {
    const double held =
        std::min(bytes, static_cast<double>(gpu.l2.count()) / 2);
    bytes -= held * (1 - 1 / law.l2_speedup);
  }
  KernelCost cost;
  cost.fixed = kernel.kernels * law.launch_seconds[kernel.kind];
  cost.compute = kernel.flops.count() / gpu.peak[models::DType::kFp32].count();
  cost.memory = bytes / bandwidth;
  return cost;
}

}  // namespace hardware
