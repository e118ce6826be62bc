// What a fused attention kernel costs, forward or backward.
//
//   CostOf(h100, hopper, {.batch = 1, .heads = 32, .kv_heads = 8,
//          .queries = 8192, .keys = 8192, .head_dim = 128,
//          .value_head_dim = 128, .family = models::AttentionFamily::kFlash3});
//
// One block of 128 queries (backward: keys) of one head is one tile of work: it
// passes over the 128-key blocks it can see, masked corners included. With P
// multiprocessors and d the head dimension:
//
//   rate    = efficiency * d / (d + half_dim) * peak / P
//   one     = FLOPs of the tile / rate + tile start-up
//   waves   = tiles / P, the part `tail` of a last broken wave lost:
//             (1 - tail) * tiles / P + tail * ceil(tiles / P)
//   compute = max(longest tile, waves * mean tile)
//   memory  = bytes / (memory efficiency * bandwidth)
//   time    = launch + (compute^4 + memory^4)^(1/4)
//
// Small head dimensions are slower because the exponentials of the softmax,
// which run beside the tensor cores, cost the same at any d.
#ifndef HARDWARE_ATTENTION_COST_H_
#define HARDWARE_ATTENTION_COST_H_

#include "hardware/calibration.h"
#include "hardware/gpu.h"
#include "hardware/price.h"
#include "models/op.h"

namespace hardware {

// Whether `family` has constants for this architecture: FlashAttention 3 has
// none on Ampere.
bool Runs(const Calibration& calibration, models::AttentionFamily family);

// REQUIRES: Runs(calibration, attention.family), gpu.Supports(attention.dtype)
// and every size > 0.
KernelCost CostOf(const GpuSpec& gpu, const Calibration& calibration,
                  const models::Attention& attention);

}  // namespace hardware

#endif  // HARDWARE_ATTENTION_COST_H_
