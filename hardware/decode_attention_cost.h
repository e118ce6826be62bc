// What attention of one query over a cache costs: a step of decoding.
//
//   CostOf(h100, hopper, law, {.batch = 64, .heads = 32, .kv_heads = 8,
//          .queries = 1, .keys = 8192, .head_dim = 128, .value_head_dim = 128,
//          .family = models::AttentionFamily::kVllm}, L2::kCold);
//   // 2.1 GB of cache: fixed 6 us, compute 383 us, memory 719 us: 739 us
//
// Query heads that share a key head go to one block of threads, up to 64 of
// them ("fa2", "fa3"), 32 ("xqa") or 1 ("mmha"); a block passes over one split
// of their keys. With `blocks` before splitting and P multiprocessors, the
// engines split a cache of n keys
//
//   fa3   ceil(N / ceil(1.1 * blocks * N / P)) ways, N = ceil(n / split_keys):
//         as evenly over the multiprocessors as splits of whole N allow
//   fa2   the fewest ways whose last wave of blocks over 2 P leaves at most
//         0.85 of the best one idle; not at all if blocks fill 0.8 of 2 P, nor
//         if every query head has keys of its own
//   xqa   min(N, sqrt(8 N)) ways, N = n / split_keys, at most 8 waves over P
//   mmha  ceil(P / blocks) ways, of at least split_keys * 128 / d keys
//
// Each split is padded to whole steps of 64 keys. With h query heads in a
// block, value dimension v, and the bytes of one key and value
//
//   block   = block_us + head_us * h * v / 128
//             + keys * (bytes + those of 2 * softmax_dims) / stream
//   compute = max(ceil(splits * blocks / P) * block, FLOPs / peak)
//   memory  = missed bytes / (memory efficiency * bandwidth)
//   combine = combine_us + 4 * splits * h * v / combine rate, if split
//   time    = launch + transpose + combine + (compute^4 + memory^4)^(1/4)
//
// A warm L2 holds a cache of up to half its size, and nothing of one of its
// size or more: a benchmark that repeats the kernel evicts it as it goes.
#ifndef HARDWARE_DECODE_ATTENTION_COST_H_
#define HARDWARE_DECODE_ATTENTION_COST_H_

#include <cstdint>

#include "hardware/calibration.h"
#include "hardware/gpu.h"
#include "hardware/price.h"
#include "models/op.h"

namespace hardware {

// Whether it is a step of decoding: one query, by an engine's kernel.
bool IsDecode(const models::Attention& attention);

// The law of the kernel that the engine runs, TensorRT-LLM by the rules below;
// null if none is calibrated for the engine, the cache's type and the head
// dimension.
//
//   xqa   1 to 32 query heads share keys, more than one, and a 16-bit cache
//         makes at least P / 4 blocks of split_keys
//   mmha  the rest
//
// REQUIRES: IsDecode(attention).
const DecodeAttentionLaw* DecodeLawOf(const GpuSpec& gpu,
                                      const Calibration& calibration,
                                      const models::Attention& attention);

// Into how many parts each cache is split. REQUIRES: as CostOf.
int64_t SplitsOf(const GpuSpec& gpu, const DecodeAttentionLaw& law,
                 const models::Attention& attention);

// REQUIRES: IsDecode(attention), `law` is its law, every size is > 0.
KernelCost CostOf(const GpuSpec& gpu, const DecodeAttentionLaw& law,
                  const models::Attention& attention, L2 l2);

}  // namespace hardware

#endif  // HARDWARE_DECODE_ATTENTION_COST_H_
