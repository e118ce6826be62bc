// The attention half of a layer around its core: QKV, positions, projection.
#include "models/layer_emitter.h"

namespace models {

Linear LayerEmitter::Qkv() const {
  return {.name = "qkv",
          .data_gradient = "qkv dgrad",
          .weight_gradient = "qkv wgrad",
          .in = model_.hidden,
          .out = shape_.q_width + 2 * shape_.kv_width,
          .bias = model_.qkv_bias,
          .site = LinearSite::kQkv,
          .adapters = AdaptersOf(LinearSite::kQkv)};
}

Linear LayerEmitter::AttentionOut() const {
  return {.name = "attention out",
          .data_gradient = "attention out dgrad",
          .weight_gradient = "attention out wgrad",
          .in = shape_.context_width,
          .out = model_.hidden,
          .bias = model_.attention_out_bias,
          .quantise_input = true,
          .site = LinearSite::kAttentionOut,
          .adapters = AdaptersOf(LinearSite::kAttentionOut)};
}

// From `t->attention_norm` to `t->context`.
void LayerEmitter::AttentionForward(LayerTensors* t, TensorId weights) {
  if (model_.latent) return LatentForward(t, weights);
  t->qkv = Column(Qkv(), t->attention_norm, weights, Holder::kActivations,
                  &t->qkv_adapters);
  if (model_.qk_norm) {
    HeadNorm("query and key norm", PointwiseOp::kRmsNormForward, {t->qkv},
             t->qkv);
    t->head_norm_input =
        b_.Also(Words(shape_.tokens * (shape_.q_width + shape_.kv_width)),
                Holder::kActivations, "query and key norm input");
  }
  if (model_.positions == Positions::kRotary) {
    Pointwise("rotary", PointwiseOp::kRotary, training_.kernels.fused_rotary,
              shape_.tokens * (shape_.q_width + shape_.kv_width), {t->qkv},
              sim::Bytes(0), Holder::kWorkspace);
    b_.Writes(t->qkv);
  }
  Core(t);
}

// From the gradient of the context to the gradient of the attention norm.
TensorId LayerEmitter::AttentionBackward(const LayerTensors& t,
                                         TensorId gradient, TensorId weights) {
  if (model_.latent) return LatentBackward(t, gradient, weights);
  const TensorId qkv = CoreBackward(t, gradient);
  if (model_.positions == Positions::kRotary) {
    Pointwise("rotary backward", PointwiseOp::kRotary,
              training_.kernels.fused_rotary,
              shape_.tokens * (shape_.q_width + shape_.kv_width), {qkv},
              sim::Bytes(0), Holder::kWorkspace);
    b_.Writes(qkv);
  }
  if (model_.qk_norm) {
    HeadNorm("query and key norm backward", PointwiseOp::kRmsNormBackward,
             {qkv, t.head_norm_input}, qkv);
    if (!frozen()) KeepGradient(2 * model_.head_dim);
  }
  return ColumnBackward(Qkv(), t.attention_norm, qkv, weights, t.qkv_adapters);
}

// RMSNorm over each query and key head of `qkv`.
void LayerEmitter::HeadNorm(absl::string_view name, PointwiseOp op,
                            std::initializer_list<TensorId> reads,
                            TensorId qkv) {
  Pointwise(
      name, op, training_.kernels.fused_norm,
      shape_.tokens * (shape_.q_width + shape_.kv_width), reads, sim::Bytes(0),
      Holder::kWorkspace,
      shape_.tokens * (shape_.q_width + shape_.kv_width) / model_.head_dim);
  b_.Writes(qkv);
}

}  // namespace models
