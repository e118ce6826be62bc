// What a layer runs again in its backward pass, of what it did not keep.
#include "models/layer_emitter.h"

namespace models {

// What the backward pass reads, computed again where it was not kept.
LayerTensors LayerEmitter::Recomputed(const LayerTensors& kept,
                                      TensorId weights) {
  if (recompute_ == Recompute::kNone) return kept;
  b_.SetRecompute(true);
  LayerTensors t = kept;
  switch (recompute_) {
    case Recompute::kNone:
      break;
    case Recompute::kFull:
      t = Forward(kept.input, weights);
      break;
    case Recompute::kSelective:
      Core(&t);
      t.context = kept.context;  // the projection after it kept its input
      break;
    case Recompute::kOperators:
      RecomputeOperators(&t, weights);
      break;
    case Recompute::kLatentUp:
      LatentUp(&t, weights);
      break;
    case Recompute::kDotsExceptMlp:
      RecomputeMlp(&t, weights);
      break;
  }
  b_.SetRecompute(false);
  return t;
}

// The norm before attention, from the layer's input.
void LayerEmitter::RecomputeAttentionNorm(LayerTensors* t) {
  t->attention_norm =
      NormForward("attention norm", t->input, Holder::kWorkspace);
  if (model_.latent) LatentNorms(t, Holder::kWorkspace);
}

// From the attention's projection to the norm before the MLP.
void LayerEmitter::RecomputeMlpNorm(LayerTensors* t) {
  TensorId branch = t->attention_branch;
  if (post_norms()) {
    branch = NormForward("attention post-norm", branch, Holder::kWorkspace);
  }
  TensorId mask = kNoTensor;
  t->mlp_input = ResidualForward("attention residual", branch, t->input,
                                 Holder::kWorkspace, &mask);
  if (model_.parallel_residual && model_.norms_per_layer == 1) {
    t->mlp_norm = t->attention_norm;
  } else {
    t->mlp_norm = NormForward(
        "mlp norm", model_.parallel_residual ? t->input : t->mlp_input,
        Holder::kWorkspace);
  }
}

// Kept: the layer's input, QKV, the attention output, the up and down
// projections; norms, the output projection, the residual, the gate and the
// activation are run again (torchtitan's selective policy "op", which keeps
// attention and every second product: of q, k, v, out, up, gate and down the
// first, third, fifth and seventh. Here k is kept as well).
void LayerEmitter::RecomputeOperators(LayerTensors* t, TensorId weights) {
  RecomputeAttentionNorm(t);
  t->attention_branch = Row(AttentionOut(), t->context, weights);
  RecomputeMlpNorm(t);
  if (model_.gated_mlp) {
    Linear half = Up();
    half.name = "mlp gate";
    half.out /= 2;
    t->gate = Column(half, t->mlp_norm, weights, Holder::kWorkspace);
  }
  t->activated = Activate(t->up, t->gate, shape_.tokens * shape_.ffn,
                          Holder::kActivations);
  b_.Reads(t->mlp_branch);
}

// Kept: the layer's input, QKV and the attention's projection; attention, the
// products into the MLP and all that is no product are run again. The MLP's own
// output only enters a sum, and nothing backward reads it.
void LayerEmitter::RecomputeMlp(LayerTensors* t, TensorId weights) {
  RecomputeAttentionNorm(t);
  Core(t);
  RecomputeMlpNorm(t);
  t->up = Column(Up(), t->mlp_norm, weights, Holder::kWorkspace);
  t->activated = Activate(t->up, t->gate, shape_.tokens * shape_.ffn,
                          Holder::kWorkspace);
}

}  // namespace models
