// Attention over a paged cache, and what the cache takes.
#include <algorithm>
#include <cmath>

#include "models/kv_cache.h"
#include "models/serving.h"

namespace models {
namespace {

int64_t WindowOf(const ModelSpec& model, int64_t layer) {
  if (model.sliding_window == 0) return 0;
  const bool windowed = model.window_in_layer.empty() ||
                        model.window_in_layer[static_cast<size_t>(layer)];
  return windowed ? model.sliding_window : 0;
}

int64_t AttentionRanks(const ServingSpec& spec) {
  return spec.data_parallel_attention ? 1 : spec.tensor;
}

int64_t Share(int64_t heads, const ServingSpec& spec) {
  return std::max<int64_t>(1, heads / AttentionRanks(spec));
}

// Of a rank's own sequences, where ranks divide them.
int64_t Own(int64_t count, const ServingSpec& spec) {
  return spec.data_parallel_attention
             ? (count + spec.tensor - 1) / spec.tensor
             : count;
}

Attention KernelOf(const ModelSpec& model, const ServingSpec& spec,
                   int64_t layer) {
  Attention a{.heads = Share(model.heads, spec),
              .kv_heads = Share(model.kv_heads, spec),
              .head_dim = model.head_dim,
              .value_head_dim = model.head_dim,
              .window = WindowOf(model, layer),
              .family = spec.kernels.attention,
              .writes_cache = true};
  if (spec.cache == DType::kFp8) a.cache = DType::kFp8;
  return a;
}

Op AttentionOp(Kernel kernel, int64_t layer) {
  return {.work = std::move(kernel),
          .name = "attention",
          .layer = static_cast<int32_t>(layer)};
}

// Over latent keys and values that all heads share (FlashMLA and its like): the
// cache is read once, for both products.
std::vector<Op> LatentCore(const ModelSpec& model, const ServingSpec& spec,
                           int64_t layer, int64_t sequences, int64_t queries,
                           int64_t keys) {
  const models::LatentAttention& l = *model.latent;
  const int64_t heads = Share(model.heads, spec);
  const int64_t latent = l.kv_lora_rank + l.qk_rope_head_dim;
  const Gemm scores{.batch = sequences,
                    .m = heads * queries,
                    .n = keys,
                    .k = latent + l.kv_lora_rank};
  return {AttentionOp(scores, layer)};
}

}  // namespace

std::vector<Op> DecodeAttention(const ModelSpec& model, const ServingSpec& spec,
                                int64_t layer, int64_t sequences, int64_t keys,
                                int64_t queries) {
  const int64_t mean = std::max<int64_t>(1, (keys + sequences / 2) / sequences);
  const int64_t each = std::max<int64_t>(1, queries / sequences);
  const int64_t own = Own(sequences, spec);
  if (model.latent) return LatentCore(model, spec, layer, own, each, mean);
  Attention a = KernelOf(model, spec, layer);
  a.batch = own;
  a.queries = each;
  a.keys = mean;
  a.masked = spec.kernels.masked && each == 1;
  return {AttentionOp(a, layer)};
}

std::vector<Op> PrefillAttention(const ModelSpec& model,
                                 const ServingSpec& spec, int64_t layer,
                                 const std::vector<sim::PrefillChunk>& chunks) {
  double queries = 0, pairs = 0;
  for (const sim::PrefillChunk& c : chunks) {
    const auto q = static_cast<double>(c.tokens);
    queries += q;
    pairs += q * (static_cast<double>(c.keys) - (q - 1) / 2);
  }
  const auto count = static_cast<double>(chunks.size());
  const double mean = queries / count;
  const auto q = std::max<int64_t>(1, std::llround(mean));
  const auto k = std::max<int64_t>(
      q, std::llround(pairs / queries + (mean - 1) / 2));
  const int64_t own = Own(static_cast<int64_t>(chunks.size()), spec);
  if (model.latent) {  // a plain product: no query skips the keys behind it
    const auto seen = std::max<int64_t>(1, std::llround(pairs / queries));
    return LatentCore(model, spec, layer, own, q, seen);
  }
  Attention a = KernelOf(model, spec, layer);
  a.batch = own;
  a.queries = q;
  a.keys = k;
  return {AttentionOp(a, layer)};
}

std::vector<ServingLayerKind> ServingLayerKinds(const ModelSpec& model,
                                                const ServingSpec& spec) {
  const int64_t in_stage = (model.layers + spec.pipeline - 1) / spec.pipeline;
  std::vector<ServingLayerKind> kinds;
  for (int64_t layer = model.layers - in_stage; layer < model.layers; ++layer) {
    const auto same = [&](const ServingLayerKind& kind) {
      return model.IsExpertLayer(kind.layer) == model.IsExpertLayer(layer) &&
             WindowOf(model, kind.layer) == WindowOf(model, layer);
    };
    const auto kind = std::find_if(kinds.begin(), kinds.end(), same);
    if (kind == kinds.end()) {
      kinds.push_back({layer, 1});
    } else {
      ++kind->count;
    }
  }
  return kinds;
}

sim::Bytes CacheBytesPerToken(const ModelSpec& model, const ServingSpec& spec) {
  const int64_t in_stage = (model.layers + spec.pipeline - 1) / spec.pipeline;
  // Latent vectors are every rank's; heads are divided, down to one.
  const int64_t elements =
      model.latent ? KvElementsPerLayer(model)
                   : 2 * Share(model.kv_heads, spec) * model.head_dim;
  const int64_t ranks = spec.data_parallel_attention ? spec.tensor : 1;
  return sim::Bytes(BytesOf(spec.cache, elements * in_stage).count() / ranks);
}

}  // namespace models
