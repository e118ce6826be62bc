// What a matrix product costs.
//
//   CostOf(h100, hopper, {.m = 4096, .n = 4096, .k = 4096}, L2::kCold);
//   // fixed 4.2 us, compute 174 us, memory 37 us: 178 us together
//
// A family of kernels has output tiles of tm x tn, some of them only for some
// heights m of A, and may cut k into s parts. With P multiprocessors:
//
//   tiles   = batch * ceil(m / tm) * ceil(n / tn)
//   waves   = max(1, x + hardness * (ceil(x) - x)),  x = tiles * s / P
//   tensor  = 2 tm tn / (efficiency * peak / P)           of one step along k
//   feed    = (tm A bytes + tn B bytes) / L2 bandwidth of an SM      likewise
//   loop    = (asynchronous copies ? max(tensor, feed)
//              : sqrt(tensor^2 + feed^2)) * 64 ceil(k / 64 s)
//   loop is longer by 1 / narrow_copies where rows of 16-bit elements are no
//             multiple of 16 bytes, by 1 / element_copies where not of 4
//   compute = max(waves * loop + (waves - 1) * turnover,
//                 FLOPs / sustained rate)                         power limit
//   memory  = latency + bytes / (efficiency * bandwidth)
//   reduce  = s > 1: extra + 8 bytes * s batch m n / its bandwidth
//   time    = launch + epilogue * tm tn / 128^2 + reduce
//             + (compute^4 + memory^4)^(1/4)
//
// and is the least over the tiles and, for each number w of waves that the
// family's splits may fill, s = floor(min(w P / tiles, k / 64,
// 1/2 + sqrt(feed * k * bandwidth of the reduction / 8 batch m n))): more parts
// would shorten the loop by less than they add to the reduction. A, B and C
// cross the memory once; L2 that is warm holds all of B but the `warm_miss`.
//
// Quantising takes launch + bytes / min(P * its rate, efficiency * bandwidth).
#ifndef HARDWARE_GEMM_COST_H_
#define HARDWARE_GEMM_COST_H_

#include "hardware/calibration.h"
#include "hardware/gpu.h"
#include "hardware/price.h"
#include "models/op.h"

namespace hardware {

// Whether the kernel's family has constants for this architecture, and for a
// Quantise whether the family needs it.
bool Runs(const Calibration& calibration, const models::Gemm& gemm);
bool Runs(const Calibration& calibration, const models::Quantise& quantise);

// `clock` is that of the tensor cores over the clock of the benchmarks that the
// laws are fitted to; compute takes 1 / clock times as long.
//
// REQUIRES: Runs(calibration, kernel), gpu.Supports(gemm.dtype), and every size
// is above zero. Cost: 0.1 us or so; a tile and a split that cannot be the
// fastest are not looked at.
KernelCost CostOf(const GpuSpec& gpu, const Calibration& calibration,
                  const models::Gemm& gemm, L2 l2, double clock = 1);
KernelCost CostOf(const GpuSpec& gpu, const Calibration& calibration,
                  const models::Quantise& quantise);

// The FLOP/s that long kernels of this type sustain under the power limit:
// 789 of an H100's 989 TFLOP/s at 700 W, 633 at 500 W. At most the peak.
double SustainedRate(const GpuSpec& gpu, const PowerLaw& power,
                     models::DType dtype);

}  // namespace hardware

#endif  // HARDWARE_GEMM_COST_H_
