#include "models/rank_shape.h"

#include <algorithm>

#include "models/adapters.h"
#include "models/latent_attention.h"

namespace models {
namespace {

DType ActivationType(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
      return DType::kFp32;
    case Precision::kTf32:
      return DType::kTf32;
    case Precision::kFp16:
      return DType::kFp16;
    case Precision::kBf16:
    case Precision::kFp8:
      return DType::kBf16;
  }
  return DType::kBf16;
}

int64_t RoundUp(int64_t n, int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

int64_t NormParameters(const ModelSpec& m) {
  const bool two = m.norm == Norm::kLayerNorm && m.norm_bias;
  return m.hidden * (two ? 2 : 1);
}

// Norms and attention.
int64_t AttentionParameters(const ModelSpec& m, const RankShape& s) {
  const int64_t qkv = s.q_width + 2 * s.kv_width;
  int64_t count = m.latent ? LatentAttentionParameters(m, s.q_heads)
                           : m.hidden * qkv + s.q_width * m.hidden;
  count += m.norms_per_layer * NormParameters(m);
  if (m.qkv_bias && !m.latent) count += qkv;
  if (m.attention_out_bias && !m.latent) count += m.hidden;
  if (m.qk_norm && !m.latent) count += 2 * m.head_dim;
  return count;
}

int64_t MlpParameters(const ModelSpec& m, int64_t ffn, bool bias) {
  const int64_t up = (m.gated_mlp ? 2 : 1) * ffn;
  return (up + ffn) * m.hidden + (bias ? up + m.hidden : 0);
}

// The router, the shared expert and its gate; the routed experts.
ParameterCounts ExpertParameters(const ModelSpec& m, const RankShape& s) {
  const Experts& experts = *m.experts;
  ParameterCounts counts{.dense = m.hidden * experts.count};
  if (experts.router_bias) counts.dense += experts.count;
  if (experts.shared_ffn_hidden > 0) {
    counts.dense += MlpParameters(m, s.shared_ffn, false);
    if (experts.shared_gate) counts.dense += m.hidden;
  }
  counts.expert =
      s.experts * MlpParameters(m, s.expert_ffn, experts.expert_bias);
  return counts;
}

}  // namespace

RankShape::RankShape(const ModelSpec& model, const TrainingSpec& training)
    : batch(training.micro_batch),
      sequence(training.sequence_length / training.split.context),
      tokens(batch * sequence),
      activation(ActivationType(training.precision)),
      matmul(training.precision == Precision::kFp8 ? DType::kFp8 : activation),
      frozen(training.lora.on()),
      adapters(0) {
  const Split& split = training.split;
  vocabulary_stages = split.pipeline;
  const int64_t tp = split.tensor;
  shard = split.sequence ? tokens / tp : tokens;
  if (model.linear_stack) {
    q_heads = kv_heads = q_width = kv_width = ffn = vocab = 0;
    value_head_dim = value_width = context_width = 0;
    dense_layer.dense = model.hidden * model.hidden;
    embedding_parameters = tied_head_parameters = 0;
    head_parameters = model.hidden * model.linear_outputs;
    return;
  }
  q_heads = model.heads / tp;
  kv_heads = std::max<int64_t>(1, model.kv_heads / tp);
  q_width = q_heads * model.head_dim;
  kv_width = kv_heads * model.head_dim;
  value_head_dim = model.latent ? model.latent->v_head_dim : model.head_dim;
  value_width = kv_heads * value_head_dim;
  context_width = q_heads * value_head_dim;
  ffn = model.ffn_hidden / tp;
  vocab = RoundUp(model.vocab, tp > 1 || training.pad_vocab_to > 1
                                   ? training.pad_vocab_to * tp
                                   : 1) /
          tp;
  adapters = AdapterParameters(training.lora, model, *this, tp);
  if (training.lora.nf4) nf4_weights = Nf4Weights(model, *this);
  dense_layer.dense = expert_layer.dense = AttentionParameters(model, *this);
  dense_layer.dense += MlpParameters(model, ffn, model.mlp_bias) + adapters;
  if (model.experts) {
    experts = model.experts->count / split.expert;
    expert_ffn = model.experts->ffn_hidden / split.parts_of_expert();
    shared_ffn = model.experts->shared_ffn_hidden / tp;
    expert_layers = model.experts->in_layer;
    expert_layer += ExpertParameters(model, *this);
  }
  const int64_t table = vocab * model.hidden;
  embedding_parameters = table;
  if (model.positions == Positions::kLearned) {
    embedding_parameters += model.max_positions * model.hidden;
  }
  if (model.embedding_norm) embedding_parameters += NormParameters(model);
  head_parameters = (model.final_norm ? NormParameters(model) : 0) +
                    (model.tied_embeddings ? 0 : table) +
                    (model.lm_head_bias ? vocab : 0);
  const bool apart = split.pipeline == 1 || !split.ends_meet();
  const bool read_twice = model.tied_embeddings || model.mtp_depth > 0;
  tied_head_parameters = read_twice && apart ? table : 0;
  for (int64_t depth = 0; depth < model.mtp_depth; ++depth) {
    mtp += LayerParameters(model.layers - 1);
    mtp.dense += 2 * model.hidden * (model.hidden / tp) +
                 (model.final_norm ? 3 : 2) * NormParameters(model);
  }
}

ParameterCounts RankShape::LayerParameters(int64_t layer) const {
  const bool experts_there =
      !expert_layers.empty() && expert_layers[static_cast<size_t>(layer)];
  return experts_there ? expert_layer : dense_layer;
}

int64_t RankShape::EndsOf(const Chunk& chunk) const {
  int64_t count = 0;
  if (chunk.vocabulary) {
    // A tied table lies once on each stage.
    const int64_t both = embedding_parameters + head_parameters;
    return (both + vocabulary_stages - 1) / vocabulary_stages;
  }
  if (chunk.embedding) count += embedding_parameters;
  if (chunk.head) count += head_parameters;
  if (chunk.head && !chunk.embedding) count += tied_head_parameters;
  return count;
}

ParameterCounts RankShape::ParametersOf(const Chunk& chunk) const {
  ParameterCounts counts{.dense = EndsOf(chunk)};
  if (chunk.head) counts += mtp;
  for (int64_t i = 0; i < chunk.layers; ++i) {
    counts += LayerParameters(chunk.first_layer + i);
  }
  return counts;
}

ParameterCounts RankShape::TrainedInLayer(int64_t layer) const {
  return frozen ? ParameterCounts{.dense = adapters} : LayerParameters(layer);
}

ParameterCounts RankShape::TrainedOf(const Chunk& chunk) const {
  return frozen ? ParameterCounts{.dense = chunk.layers * adapters}
                : ParametersOf(chunk);
}

namespace {

// A chunk more on each stage takes the ends' place: the first layers take over
// what they embed, the last ones hand it their output.
void DivideVocabulary(std::vector<std::vector<Chunk>>* stages) {
  Chunk& first = stages->front().front();
  Chunk& last = stages->back().back();
  first.embedding = last.head = false;
  first.from_here = last.to_here = true;
  for (std::vector<Chunk>& chunks : *stages) {
    chunks.push_back({.vocabulary = true});
  }
  stages->back().back().from_here = stages->back().back().to_here = true;
}

}  // namespace

std::vector<std::vector<Chunk>> ChunksOf(const ModelSpec& model,
                                         const Split& split) {
  const Pipeline pipeline = split.PipelineOf(1);
  const int64_t parts = PartsOf(pipeline);
  std::vector<int64_t> layers, first;
  for (int64_t part = 0, sum = 0; part < parts; ++part) {
    layers.push_back(split.chunk_layers.empty()
                         ? model.layers / parts +
                               (part < model.layers % parts ? 1 : 0)
                         : split.chunk_layers[static_cast<size_t>(part)]);
    first.push_back(sum);
    sum += layers.back();
  }
  std::vector<std::vector<Chunk>> stages(static_cast<size_t>(split.pipeline));
  for (int64_t stage = 0; stage < split.pipeline; ++stage) {
    for (int64_t c = 0; c < pipeline.chunks; ++c) {
      const Seat seat{.stage = stage, .chunk = c};
      const int64_t part = PartAt(pipeline, seat);
      const auto is_here = [&](int step) {
        return part + step >= 0 && part + step < parts &&
               Neighbour(pipeline, seat, step).stage == stage;
      };
      stages[static_cast<size_t>(stage)].push_back(
          {.first_layer = first[static_cast<size_t>(part)],
           .layers = layers[static_cast<size_t>(part)],
           .embedding = part == 0,
           .head = part == parts - 1,
           .up = FlowsUp(pipeline, seat),
           .from_here = is_here(-1),
           .to_here = is_here(+1)});
    }
  }
  if (split.vocabulary != VocabularySplit::kNone) DivideVocabulary(&stages);
  return stages;
}

}  // namespace models
