// Multi-head latent attention around its core (DeepSeek-V2, arXiv:2405.04434,
// section 2.1), as Megatron-Core's MLASelfAttention runs it in training:
//
//   x -> query down -> norm -> query up -> rotary        -> queries
//   x -> kv down -> [latent -> norm -> kv up, rotary key] -> keys, values
//
// Down-projections are whole on every tensor-parallel rank and see the rank's
// own tokens; the up-projections divide the heads and gather their narrow
// inputs along the sequence. One rotary key of a token serves all heads, so
// keys and values are written anew, head by head.
#include "models/latent_attention.h"
#include "models/layer_emitter.h"

namespace models {

Linear LayerEmitter::QueryDown() const {
  return {.name = "query down",
          .data_gradient = "query down dgrad",
          .weight_gradient = "query down wgrad",
          .in = model_.hidden,
          .out = model_.latent->q_lora_rank,
          .bias = model_.qkv_bias,
          .replicated = true};
}

Linear LayerEmitter::KvDown() const {
  return {.name = "kv down",
          .data_gradient = "kv down dgrad",
          .weight_gradient = "kv down wgrad",
          .in = model_.hidden,
          .out = model_.latent->kv_lora_rank + model_.latent->qk_rope_head_dim,
          .bias = model_.qkv_bias,
          .replicated = true};
}

Linear LayerEmitter::QueryUp() const {
  const bool direct = model_.latent->q_lora_rank == 0;
  return {.name = direct ? "query" : "query up",
          .data_gradient = direct ? "query dgrad" : "query up dgrad",
          .weight_gradient = direct ? "query wgrad" : "query up wgrad",
          .in = direct ? model_.hidden : model_.latent->q_lora_rank,
          .out = shape_.q_width};
}

Linear LayerEmitter::KvUp() const {
  const LatentAttention& a = *model_.latent;
  return {.name = "kv up",
          .data_gradient = "kv up dgrad",
          .weight_gradient = "kv up wgrad",
          .in = a.kv_lora_rank,
          .out = shape_.q_heads * (a.qk_nope_head_dim + a.v_head_dim)};
}

TensorId LayerEmitter::LatentNorm(absl::string_view name, PointwiseOp op,
                                  int64_t width,
                                  std::initializer_list<TensorId> reads,
                                  Holder holder) {
  const int64_t elements = shape_.shard * width;
  return Pointwise(name, op, training_.kernels.fused_norm, elements, reads,
                   Words(elements), holder, shape_.shard);
}

void LayerEmitter::LatentNorms(LayerTensors* t, Holder holder) {
  const LatentAttention& a = *model_.latent;
  if (a.q_lora_rank > 0) {
    t->query_norm = LatentNorm("query norm", PointwiseOp::kRmsNormForward,
                               a.q_lora_rank, {t->query_down}, holder);
  }
  t->kv_norm = LatentNorm("kv norm", PointwiseOp::kRmsNormForward,
                          a.kv_lora_rank, {t->kv_down}, holder);
}

// From `t->attention_norm` to `t->context`.
void LayerEmitter::LatentForward(LayerTensors* t, TensorId weights) {
  if (model_.latent->q_lora_rank > 0) {
    t->query_down = Replicated(QueryDown(), t->attention_norm, weights);
  }
  t->kv_down = Replicated(KvDown(), t->attention_norm, weights);
  t->rotary_key = Gather(t->kv_down, model_.latent->qk_rope_head_dim);
  LatentNorms(t, Holder::kActivations);
  LatentUp(t, weights);
  Core(t);
}

TensorId LayerEmitter::RotateQueries(absl::string_view name, TensorId queries) {
  const int64_t rotated =
      shape_.tokens * shape_.q_heads * model_.latent->qk_rope_head_dim;
  Pointwise(name, PointwiseOp::kRotary, training_.kernels.fused_rotary, rotated,
            {queries}, sim::Bytes(0), Holder::kWorkspace);
  b_.Writes(queries);
  if (training_.kernels.fused_rotary) return queries;
  // Cut out and put back: a copy of all.
  const sim::Bytes all = Words(shape_.tokens * shape_.q_width);
  b_.Add({.work = MemoryBound{.kind = models::Pointwise::kCast,
                              .read = all,
                              .written = all,
                              .flops = {}},
          .name = "join queries"},
         {queries});
  b_.Writes(queries);
  return queries;
}

// From the norms to queries, keys and values of the rank's heads. Fused, one
// kernel rotates the shared key and writes keys and values (Megatron's
// fused_apply_mla_rope_for_kv); else they are joined by copies.
void LayerEmitter::LatentUp(LayerTensors* t, TensorId weights) {
  const LatentAttention& a = *model_.latent;
  t->qkv =
      Column(QueryUp(), a.q_lora_rank > 0 ? t->query_norm : t->attention_norm,
             weights, Holder::kActivations);
  const TensorId kv = Column(KvUp(), t->kv_norm, weights, Holder::kWorkspace);
  RotateQueries("rotary", t->qkv);
  const bool fused = training_.kernels.fused_rotary;
  const int64_t rotated = shape_.tokens * a.qk_rope_head_dim;
  if (!fused) {
    Pointwise("rotary", PointwiseOp::kRotary, false, rotated, {t->rotary_key},
              sim::Bytes(0), Holder::kWorkspace);
    b_.Writes(t->rotary_key);
  }
  t->keys = b_.Add(
      {.work =
           MemoryBound{.kind = fused ? models::Pointwise::kRotary
                                     : models::Pointwise::kCast,
                       .read = Words(shape_.tokens * KvUp().out + rotated),
                       .written = Words(shape_.tokens *
                                        (shape_.kv_width + shape_.value_width)),
                       .flops = sim::Flops(
                           fused ? 3.0 * static_cast<double>(rotated) : 0),
                       .kernels = fused ? 1 : 2},
       .name = "keys and values"},
      {kv, t->rotary_key}, Words(shape_.tokens * shape_.kv_width),
      Holder::kActivations);
  t->values = b_.Also(Words(shape_.tokens * shape_.value_width),
                      Holder::kActivations, "values");
}

// From the gradient of the context to that of the attention norm.
TensorId LayerEmitter::LatentBackward(const LayerTensors& t, TensorId gradient,
                                      TensorId weights) {
  const LatentAttention& a = *model_.latent;
  const TensorId qkv = CoreBackward(t, gradient);
  const TensorId from_kv = LatentKvBackward(t, qkv, weights);
  RotateQueries("rotary backward", qkv);
  TensorId from_query = kNoTensor;
  if (a.q_lora_rank == 0) {
    from_query = ColumnBackward(QueryUp(), t.attention_norm, qkv, weights);
  } else {
    const TensorId norm = ColumnBackward(QueryUp(), t.query_norm, qkv, weights);
    const TensorId down =
        LatentNorm("query norm backward", PointwiseOp::kRmsNormBackward,
                   a.q_lora_rank, {t.query_down, norm}, Holder::kWorkspace);
    KeepGradient(a.q_lora_rank);
    from_query =
        ReplicatedBackward(QueryDown(), t.attention_norm, down, weights);
  }
  return Add("latent gradient", from_kv, from_query);
}

// The gradients of a token's rotary key are summed over the heads, and those of
// all tensor-parallel ranks.
TensorId LayerEmitter::LatentKvBackward(const LayerTensors& t, TensorId qkv,
                                        TensorId weights) {
  const LatentAttention& a = *model_.latent;
  const bool fused = training_.kernels.fused_rotary;
  const int64_t rotated = shape_.tokens * a.qk_rope_head_dim;
  const TensorId kv =
      b_.Add({.work =
                  MemoryBound{
                      .kind = fused ? models::Pointwise::kRotary
                                    : models::Pointwise::kCast,
                      .read = Words(shape_.tokens *
                                    (shape_.kv_width + shape_.value_width)),
                      .written = Words(shape_.tokens * KvUp().out + rotated),
                      .flops = sim::Flops(static_cast<double>(
                          shape_.tokens * shape_.q_heads * a.qk_rope_head_dim)),
                      .kernels = fused ? 1 : 2},
              .name = "keys and values backward"},
             {qkv}, Words(shape_.tokens * KvUp().out));
  TensorId rotary_key =
      b_.Also(Words(rotated), Holder::kWorkspace, "rotary key gradient");
  if (!fused) {
    Pointwise("rotary backward", PointwiseOp::kRotary, false, rotated,
              {rotary_key}, sim::Bytes(0), Holder::kWorkspace);
    b_.Writes(rotary_key);
  }
  rotary_key = Reduce(rotary_key, a.qk_rope_head_dim);
  const TensorId norm = ColumnBackward(KvUp(), t.kv_norm, kv, weights);
  const TensorId latent =
      LatentNorm("kv norm backward", PointwiseOp::kRmsNormBackward,
                 a.kv_lora_rank, {t.kv_down, norm}, Holder::kWorkspace);
  KeepGradient(a.kv_lora_rank);
  const sim::Bytes both = Words(shape_.shard * KvDown().out);
  const TensorId down =
      b_.Add({.work = MemoryBound{.kind = models::Pointwise::kCast,
                                  .read = both,
                                  .written = both,
                                  .flops = {}},
              .name = "join kv gradient"},
             {latent, rotary_key}, both);
  return ReplicatedBackward(KvDown(), t.attention_norm, down, weights);
}

bool LayerEmitter::PadsLatentValues() const {
  return model_.latent && training_.kernels.fused_attention &&
         shape_.value_head_dim < model_.head_dim &&
         PadsValues(training_.kernels.attention);
}

TensorId LayerEmitter::PadValues(TensorId values) {
  const sim::Bytes padded = Words(shape_.tokens * shape_.kv_width);
  return b_.Add(
      {.work = MemoryBound{.kind = models::Pointwise::kCast,
                           .read = Words(shape_.tokens * shape_.value_width),
                           .written = padded,
                           .flops = {}},
       .name = "pad values"},
      {values}, padded, Holder::kActivations);
}

TensorId LayerEmitter::CutContext(TensorId context) {
  const sim::Bytes cut = Words(shape_.tokens * shape_.context_width);
  return b_.Add({.work = MemoryBound{.kind = models::Pointwise::kCast,
                                     .read = cut,
                                     .written = cut,
                                     .flops = {}},
                 .name = "cut context"},
                {context}, cut, Holder::kActivations);
}

TensorId LayerEmitter::PadGradient(TensorId gradient) {
  const sim::Bytes padded = Words(shape_.tokens * shape_.q_width);
  return b_.Add(
      {.work = MemoryBound{.kind = models::Pointwise::kCast,
                           .read = Words(shape_.tokens * shape_.context_width),
                           .written = padded,
                           .flops = {}},
       .name = "pad context gradient"},
      {gradient}, padded);
}

TensorId LayerEmitter::CutValueGradient(TensorId qkv) {
  const sim::Bytes cut = Words(shape_.tokens * shape_.value_width);
  b_.Add({.work = MemoryBound{.kind = models::Pointwise::kCast,
                              .read = cut,
                              .written = cut,
                              .flops = {}},
          .name = "cut value gradient"},
         {qkv});
  b_.Writes(qkv);
  return qkv;
}

}  // namespace models
