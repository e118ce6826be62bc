// What a kernel bound by memory costs: norms, activations, the optimizer.
//
//   CostOf(a100, ampere, {.kind = models::Pointwise::kResidual,
//          .read = sim::MiB(128), .written = sim::MiB(64)}, L2::kCold);
//   // fixed 1.8 us, memory 113 us
//
//   time = kernels · launch + rows, if few, one after another
//        + bytes that memory moves / both(per-SM rate · SMs at work,
//                                         efficiency · bandwidth)
//        + bytes that L2 holds / both(per-SM rate · warm speed-up · SMs at
//        work,
//                                     L2 rate of an SM · SMs)
//
//   both(a, b) = (a^-4 + b^-4)^(-1/4): less than either limit, by 16 % at most
//
// Rates are those of the family's kernel of that kind (memory_bound_law.h). A
// kernel that works row by row keeps min(rows, SMs) multiprocessors at work.
// One with a second pass over long rows reads them from memory again. L2 holds
// something only where the caller says that it is warm, and then what one of
// the kernels touches, if it is small enough.
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
