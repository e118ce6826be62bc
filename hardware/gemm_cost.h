// What a matrix product costs.
//
//   CostOf(h100, hopper, {.m = 4096, .n = 4096, .k = 4096}, L2::kCold);
//   // fixed 2.8 us, compute 174 us, memory 37 us: 177 us together
//
// The library picks, among its output tiles (tm x tn) and splits s of k, what
// is fastest; so does the law. With P multiprocessors:
//
//   tiles   = batch * ceil(m / tm) * ceil(n / tn) * s
//   one     = max(2 tm tn k/s / (efficiency * peak / P),        tensor cores
//                 (tm + tn) k/s bytes / L2 bandwidth of an SM)    feeding them
//   waves   = ceil(tiles / P)
//   compute = max(waves * one + (waves - 1) * turnover * tm tn / 128^2,
//                 FLOPs / sustained rate)                         power limit
//   memory  = bytes / min(efficiency * bandwidth, min(tiles, P) * SM's draw)
//   time    = launch + (compute^4 + memory^4)^(1/4) + reduction of the split
//
// A and B are read once and C is written once: what L2 cannot hold of a wave is
// in the fitted efficiencies.
#ifndef HARDWARE_GEMM_COST_H_
#define HARDWARE_GEMM_COST_H_

#include "hardware/calibration.h"
#include "hardware/gpu.h"
#include "hardware/price.h"
#include "models/op.h"

namespace hardware {

// The least over tiles and splits. REQUIRES: gpu.Supports(gemm.dtype) and every
// size of gemm > 0.
KernelCost CostOf(const GpuSpec& gpu, const Calibration& calibration,
                  const models::Gemm& gemm, L2 l2);

// The FLOP/s that long kernels of this type sustain under the power limit:
// 789 of an H100's 989 TFLOP/s at 700 W, 633 at 500 W. At most the peak.
double SustainedRate(const GpuSpec& gpu, const PowerLaw& power,
                     models::DType dtype);

}  // namespace hardware

#endif  // HARDWARE_GEMM_COST_H_
