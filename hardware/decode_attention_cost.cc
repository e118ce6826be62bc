#include "hardware/decode_attention_cost.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace hardware {
namespace {

using models::AttentionFamily;

constexpr int64_t kStep = 64;            // keys that a block takes at a time
constexpr int64_t kWidestHead = 256;     // of the Flash kernels and XQA
constexpr int64_t kMostXqaHeads = 32;    // that share a key head
constexpr int64_t kXqaWaves = 8;         // kTargetWaveFactor of TensorRT-LLM
constexpr double kFlash3Spread = 1.1;    // of prepare_varlen_num_blocks
constexpr double kFlash2Full = 0.8;      // of num_splits_heuristic, as is
constexpr double kFlash2Balance = 0.85;  // this

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t KeysOf(const models::Attention& a) {
  return a.window > 0 ? std::min(a.keys, a.window) : a.keys;
}

int CacheBits(const models::Attention& a) {
  return models::BitsOf(a.cache.value_or(a.dtype));
}

// Blocks of threads before any split, and the query heads in each.
struct Blocks {
  int64_t count;
  double heads;
};

Blocks BlocksOf(const DecodeAttentionLaw& law, const models::Attention& a) {
  if (law.kernel == DecodeKernel::kMasked) return {a.batch * a.heads, 1};
  const int64_t most = law.kernel == DecodeKernel::kXqa ? kMostXqaHeads : 64;
  const int64_t sharing = a.heads / a.kv_heads;
  const int64_t blocks = CeilDiv(sharing, most);
  return {a.batch * a.kv_heads * blocks,
          static_cast<double>(sharing) / static_cast<double>(blocks)};
}

int64_t Flash3Splits(int64_t blocks, int64_t parts, int multiprocessors) {
  const auto each = static_cast<int64_t>(std::ceil(
      kFlash3Spread * static_cast<double>(blocks * parts) / multiprocessors));
  return CeilDiv(parts, each);
}

int64_t Flash2Splits(int64_t blocks, int64_t parts, int multiprocessors,
                     int64_t most) {
  const double slots = 2.0 * multiprocessors;
  if (static_cast<double>(blocks) >= kFlash2Full * slots) return 1;
  const auto busy = [&](int64_t splits) {
    const double waves = static_cast<double>(blocks * splits) / slots;
    return waves / std::ceil(waves);
  };
  most = std::min({most, parts, static_cast<int64_t>(slots)});
  double best = 0;
  for (int64_t splits = 1; splits <= most; ++splits) {
    best = std::max(best, busy(splits));
  }
  int64_t splits = 1;
  while (busy(splits) < kFlash2Balance * best) ++splits;
  return splits;
}

int64_t XqaSplits(int64_t blocks, int64_t parts, int multiprocessors) {
  const auto few = static_cast<int64_t>(
      std::round(std::sqrt(8 * static_cast<double>(parts))));
  const int64_t splits = std::max<int64_t>(1, std::min(parts, few));
  const int64_t room = kXqaWaves * multiprocessors / blocks;
  return std::clamp<int64_t>(room, 1, splits);
}

// Bytes of the cache that memory must deliver.
double Missed(const GpuSpec& gpu, double bytes, L2 l2) {
  if (l2 == L2::kCold) return bytes;
  const double filled = bytes / static_cast<double>(gpu.l2.count());
  return bytes * std::clamp(2 * filled - 1, 0.0, 1.0);
}

}  // namespace

bool IsDecode(const models::Attention& a) {
  const bool engine = a.family == AttentionFamily::kVllm ||
                      a.family == AttentionFamily::kSglang ||
                      a.family == AttentionFamily::kTensorRtLlm;
  return engine && a.queries == 1 && !a.backward;
}

const DecodeAttentionLaw* DecodeLawOf(const GpuSpec& gpu,
                                      const Calibration& calibration,
                                      const models::Attention& a) {
  const int64_t sharing = a.heads / a.kv_heads;
  for (const DecodeAttentionLaw& law : calibration.decode_attention) {
    if (law.family != a.family || law.cache_bits != CacheBits(a)) continue;
    if (a.masked && law.kernel != DecodeKernel::kMasked) continue;
    bool takes = a.head_dim <= kWidestHead;
    if (law.kernel == DecodeKernel::kXqa) {
      const int64_t blocks = a.batch * a.kv_heads *
                             std::max<int64_t>(1, KeysOf(a) / law.split_keys);
      takes = takes && sharing > 1 && sharing <= kMostXqaHeads &&
              (law.cache_bits == 8 || 4 * blocks >= gpu.multiprocessors);
    }
    if (takes || law.kernel == DecodeKernel::kMasked) return &law;
  }
  return nullptr;
}

int64_t SplitsOf(const GpuSpec& gpu, const DecodeAttentionLaw& law,
                 const models::Attention& a) {
  const int64_t blocks = BlocksOf(law, a).count;
  const int64_t keys = KeysOf(a);
  int64_t splits = 1;
  switch (law.kernel) {
    case DecodeKernel::kFlash2:
      if (a.heads == a.kv_heads) return 1;
      splits = Flash2Splits(blocks, CeilDiv(keys, law.split_keys),
                            gpu.multiprocessors, law.most_splits);
      break;
    case DecodeKernel::kFlash3:
      splits = Flash3Splits(blocks, CeilDiv(keys, law.split_keys),
                            gpu.multiprocessors);
      break;
    case DecodeKernel::kXqa:
      splits = XqaSplits(blocks, keys / law.split_keys, gpu.multiprocessors);
      break;
    case DecodeKernel::kMasked:
      splits = std::min(CeilDiv(gpu.multiprocessors, blocks),
                        CeilDiv(keys * a.head_dim, law.split_keys * 128));
      break;
  }
  return std::min(splits, law.most_splits);
}

KernelCost CostOf(const GpuSpec& gpu, const DecodeAttentionLaw& law,
                  const models::Attention& a, L2 l2) {
  assert(IsDecode(a));
  const Blocks blocks = BlocksOf(law, a);
  const int64_t splits = SplitsOf(gpu, law, a);
  const double keys = std::ceil(static_cast<double>(KeysOf(a)) /
                                static_cast<double>(splits * kStep)) *
                      static_cast<double>(kStep);
  const double element = CacheBits(a) / 8.0;  // bytes
  const auto dims = static_cast<double>(a.head_dim + a.value_head_dim);
  const double partial = blocks.heads * static_cast<double>(a.value_head_dim);
  const double block =
      law.block_seconds + law.head_seconds * partial / 128 +
      keys * (dims + 2 * law.softmax_dims) * element / law.stream_per_sm;
  const auto waves =
      static_cast<double>(CeilDiv(blocks.count * splits, gpu.multiprocessors));
  const double cache =
      static_cast<double>(a.batch * a.kv_heads * KeysOf(a)) * dims * element;

  KernelCost cost;
  cost.fixed = law.launch_seconds;
  if (a.batch > 1 && a.kv_heads > 1 && a.heads > a.kv_heads) {
    cost.fixed += law.transpose_seconds;
  }
  if (splits > 1) {
    cost.fixed += law.combine_seconds +
                  4 * static_cast<double>(splits) * partial / law.combine_rate;
  }
  cost.compute = std::max(waves * block, models::WorkOf(a).flops.count() /
                                             gpu.peak[a.dtype].count());
  cost.memory = Missed(gpu, cache, l2) /
                (law.memory_efficiency * gpu.memory_bandwidth.count());
  return cost;
}

}  // namespace hardware
