// What a fused attention kernel costs, forward or backward; a step of decoding
// is decode_attention_cost.h's.
//
//   CostOf(h100, hopper, {.batch = 1, .heads = 32, .kv_heads = 8,
//          .queries = 8192, .keys = 8192, .head_dim = 128,
//          .value_head_dim = 128, .family = models::AttentionFamily::kFlash3});
//   // fixed 5 us, compute 827 us, memory 69 us: 832 us, 661 TFLOP/s
//
// 128 queries (backward: keys) of one head are one tile of work, which passes
// over the 128-key blocks it can see, masked corners included; kernels that
// pack heads put the query heads of one key head into the same tiles. With P
// multiprocessors, d the head dimension, and r the peak of the products' type
// over bf16's:
//
//   rate    = efficiency * d / (d + half_dim * r) * peak / P
//   one     = FLOPs of the tile / rate + start-up and epilogue
//   waves   = (1 - tail) * tiles / P + tail * ceil(tiles / P)
//   late    = straggling * longest tile * (tiles / P - 1, between 0 and 1)
//   busy    = max(longest tile, waves * mean tile + late)
//   compute = busy * (1 + power_sag * busy / (busy + 1 ms))
//   memory  = bytes / (memory efficiency * bandwidth)
//   write   = write_us + bytes / (write efficiency * bandwidth)
//   time    = launch + write + combine + (compute^4 + memory^4)^(1/4)
//
// Families that take one head dimension only (models::PadsValues) multiply values
// as wide as keys; the rates above are of the mean of both dimensions.
//
// Small head dimensions are slower because the exponentials of the softmax,
// which run beside the tensor cores, cost the same at any d. `write` is another
// kernel's, of engines only: it reads new keys and values, writes them to the
// cache, and copies the queries query_copies times. Where a law has split_keys,
// idle multiprocessors take parts of the keys, P / tiles of them at most, of at
// least so many keys, and `combine` sums the parts.
#ifndef HARDWARE_ATTENTION_COST_H_
#define HARDWARE_ATTENTION_COST_H_

#include "hardware/calibration.h"
#include "hardware/gpu.h"
#include "hardware/price.h"
#include "models/op.h"

namespace hardware {

// Whether the family has constants for this architecture and direction:
// FlashAttention 3 has none on Ampere, serving engines' kernels none backward.
bool Runs(const Calibration& calibration, const models::Attention& attention);

// REQUIRES: Runs(calibration, attention), gpu.Supports(attention.dtype)
// and every size > 0.
KernelCost CostOf(const GpuSpec& gpu, const Calibration& calibration,
                  const models::Attention& attention);

}  // namespace hardware

#endif  // HARDWARE_ATTENTION_COST_H_
