// What a kernel bound by memory costs: norms, activations, the optimizer.
//
//   CostOf(a100, ampere, {.kind = models::Pointwise::kResidual,
//          .read = sim::MiB(128), .written = sim::MiB(64)}, L2::kCold);
//   // fixed 2.5 us, memory 113 us
//
//   time = kernels * launch + bytes / (efficiency * bandwidth)
//
// Launch and efficiency are those of the kind of kernel. When L2 is warm, as
// much as half of it holds is moved `l2_speedup` times faster.
#ifndef HARDWARE_MEMORY_BOUND_COST_H_
#define HARDWARE_MEMORY_BOUND_COST_H_

#include "hardware/calibration.h"
#include "hardware/gpu.h"
#include "hardware/price.h"
#include "models/op.h"

namespace hardware {

KernelCost CostOf(const GpuSpec& gpu, const Calibration& calibration,
                  const models::MemoryBound& kernel, L2 l2);

}  // namespace hardware

#endif  // HARDWARE_MEMORY_BOUND_COST_H_
