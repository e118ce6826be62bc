// What the kernels of a layer of experts cost.
//
//   // Mixtral's first product, 64 tokens to each of its 8 experts, on an H100:
//   std::vector<int64_t> load(8, 64);
//   CostOf(h100, hopper, models::GroupedGemm{.rows = models::RowsOf(load),
//                                            .n = 28672, .k = 4096});
//   // fixed 3 us, compute 327 us, memory 644 us: 657 us, the weights' bytes
//
// A grouped product has the tiles of its experts in one kernel. With tiles of
// tm x tn, P multiprocessors, and an expert's m_e rows:
//
//   tiles   = sum over experts of ceil(m_e / tm) * ceil(n / tn)
//   one     = max(2 tm tn k / (efficiency * peak / P),
//                 (tm + tn) k bytes / L2 bandwidth of an SM)
//             + turnover * tm tn / 128^2
//   waves   = (1 - tail) * max(1, tiles / P) + tail * ceil(tiles / P)
//   compute = max(waves * one, FLOPs / sustained rate)
//   bytes   = weights of experts that have a row, rows in, rows out
//   memory  = bytes / min(efficiency * bandwidth, min(tiles, P) * SM's draw)
//   time    = launch + (compute^4 + memory^4)^(1/4)
//
// and the tile is the law's fastest, unless the program fixes it. A weight
// gradient has as many rows as the weight, and its loop runs over an expert's
// tokens: the mean of those that have any.
//
// Families that call cuBLAS once for each expert take what its law says
// (gemm_cost.h) of the mean of the experts that have a row: kSequential that
// often, one after another; kTransformerEngine once for all tiles together, with
// every expert's weights read.
//
// The passes
// around the products take
//
//   time    = kernels * launch + held experts * time of one (permute only)
//             + bytes / (efficiency * bandwidth)
#ifndef HARDWARE_EXPERT_COST_H_
#define HARDWARE_EXPERT_COST_H_

#include "hardware/calibration.h"
#include "hardware/gpu.h"
#include "hardware/price.h"
#include "models/op.h"

namespace hardware {

// Whether these libraries' kernels have constants for this architecture.
bool Runs(const Calibration& calibration, models::ExpertKernels family,
          models::DType dtype);

// Whether the family calls cuBLAS for each expert.
bool CallsCublas(models::ExpertKernels family);
// REQUIRES: CallsCublas(gemm.family). `clock` as in gemm_cost.h.
KernelCost CostOfCalls(const GpuSpec& gpu, const Calibration& calibration,
                       const models::GroupedGemm& gemm, L2 l2, double clock);

// REQUIRES: !CallsCublas(kernel.family),
// Runs(calibration, kernel.family, kernel.dtype),
// gpu.Supports(kernel.dtype), and a fixed tile's height is one of kTileHeights.
// A product without rows takes its launch.
KernelCost CostOf(const GpuSpec& gpu, const Calibration& calibration,
                  const models::GroupedGemm& kernel);
KernelCost CostOf(const GpuSpec& gpu, const Calibration& calibration,
                  const models::ExpertPass& kernel);

}  // namespace hardware

#endif  // HARDWARE_EXPERT_COST_H_
