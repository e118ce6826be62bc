// The MLP half of a layer, the pieces between the products, and the layer
// whole.
#include "models/layer_emitter.h"

namespace models {

LayerEmitter::LayerEmitter(const ModelSpec& model, const TrainingSpec& training,
                           OpGraphBuilder* builder, size_t part)
    : model_(model),
      training_(training),
      b_(*builder),
      shape_(model, training),
      experts_(model, training),
      part_(experts_.part(part)) {}

std::vector<TensorId> LayerEmitter::TakeGradients() {
  return std::exchange(gradients_, {});
}

std::vector<TensorId> LayerEmitter::TakeExpertGradients() {
  return std::exchange(expert_gradients_, {});
}

Linear LayerEmitter::Up() const {
  return {.name = "mlp up",
          .data_gradient = "mlp up dgrad",
          .weight_gradient = "mlp up wgrad",
          .in = model_.hidden,
          .out = shape_.ffn * (model_.gated_mlp ? 2 : 1),
          .bias = model_.mlp_bias,
          .site = LinearSite::kFc1,
          .adapters = AdaptersOf(LinearSite::kFc1)};
}

Linear LayerEmitter::Down() const {
  return {.name = "mlp down",
          .data_gradient = "mlp down dgrad",
          .weight_gradient = "mlp down wgrad",
          .in = shape_.ffn,
          .out = model_.hidden,
          .bias = model_.mlp_bias,
          .site = LinearSite::kFc2,
          .adapters = AdaptersOf(LinearSite::kFc2)};
}

TensorId LayerEmitter::Pointwise(absl::string_view name, PointwiseOp op,
                                 bool fused, int64_t elements,
                                 std::initializer_list<TensorId> reads,
                                 sim::Bytes output, Holder holder,
                                 int64_t rows) {
  return b_.Add(
      {.work = Kernel(PointwiseWork(op, fused, elements, bits(), rows)),
       .name = name},
      reads, output, holder);
}

TensorId LayerEmitter::NormForward(absl::string_view name, TensorId input,
                                   Holder holder) {
  const int64_t elements = shape_.shard * model_.hidden;
  return Pointwise(
      name,
      rms() ? PointwiseOp::kRmsNormForward : PointwiseOp::kLayerNormForward,
      training_.kernels.fused_norm, elements, {input}, Words(elements), holder,
      shape_.shard);
}

TensorId LayerEmitter::NormBackward(absl::string_view name, TensorId input,
                                    TensorId gradient) {
  const int64_t elements = shape_.shard * model_.hidden;
  const TensorId output = Pointwise(
      name,
      rms() ? PointwiseOp::kRmsNormBackward : PointwiseOp::kLayerNormBackward,
      training_.kernels.fused_norm, elements, {input, gradient},
      Words(elements), Holder::kWorkspace, shape_.shard);
  if (!frozen()) KeepGradient(model_.hidden);
  return output;
}

TensorId LayerEmitter::ResidualForward(absl::string_view name, TensorId branch,
                                       TensorId residual, Holder holder,
                                       TensorId* mask) {
  const int64_t elements = shape_.shard * model_.hidden;
  const bool dropout = training_.kernels.dropout > 0;
  const TensorId output = Pointwise(
      name,
      dropout ? PointwiseOp::kDropoutAddForward : PointwiseOp::kResidualForward,
      training_.kernels.fused_residual, elements, {branch, residual},
      Words(elements), holder);
  if (dropout) {
    *mask = b_.Also(sim::Bytes(elements), Holder::kActivations, "dropout mask");
  }
  return output;
}

TensorId LayerEmitter::ResidualBackward(absl::string_view name,
                                        TensorId gradient, TensorId mask) {
  if (mask == kNoTensor) return gradient;
  const int64_t elements = shape_.shard * model_.hidden;
  return Pointwise(name, PointwiseOp::kDropoutBackward, true, elements,
                   {gradient, mask}, Words(elements), Holder::kWorkspace);
}

TensorId LayerEmitter::Add(absl::string_view name, TensorId a, TensorId b) {
  const int64_t elements = shape_.shard * model_.hidden;
  Pointwise(name, PointwiseOp::kAdd, true, elements, {a, b}, sim::Bytes(0),
            Holder::kWorkspace);
  b_.Writes(a);
  return a;
}

TensorId LayerEmitter::Activate(TensorId up, TensorId gate, int64_t elements,
                                Holder holder) {
  return Pointwise(model_.gated_mlp ? "gated activation" : "activation",
                   model_.gated_mlp ? PointwiseOp::kGatedForward
                                    : PointwiseOp::kActivationForward,
                   training_.kernels.fused_activation, elements, {up, gate},
                   Words(elements), holder);
}

TensorId LayerEmitter::ActivateBackward(TensorId up, TensorId gate,
                                        TensorId gradient, int64_t elements) {
  return Pointwise(
      model_.gated_mlp ? "gated activation backward" : "activation backward",
      model_.gated_mlp ? PointwiseOp::kGatedBackward
                       : PointwiseOp::kActivationBackward,
      training_.kernels.fused_activation, elements, {up, gate, gradient},
      Words(elements * (model_.gated_mlp ? 2 : 1)), Holder::kWorkspace);
}

// Up and gate projections: one product, or two where only one of them is kept.
void LayerEmitter::MultiplyUp(LayerTensors* t, TensorId weights) {
  if (recompute_ != Recompute::kOperators || !model_.gated_mlp) {
    t->up = Column(Up(), t->mlp_norm, weights, Holder::kActivations,
                   &t->up_adapters);
    return;
  }
  Linear half = Up();
  half.out /= 2;
  TensorId gathered = kNoTensor;
  t->up = ColumnProduct(half, t->mlp_norm, weights, Holder::kActivations,
                        &gathered);
  t->gate = Multiply(Shape(half, half.out, half.in), "mlp gate",
                     {gathered, weights}, Holder::kWorkspace);
}

// From `t->mlp_norm` to `t->output`.
void LayerEmitter::MlpForward(LayerTensors* t, TensorId weights,
                              TensorId residual) {
  if (ExpertsHere()) {
    ExpertForward(t, weights);
  } else {
    MultiplyUp(t, weights);
    t->activated = Activate(t->up, t->gate, shape_.tokens * shape_.ffn,
                            Holder::kActivations);
    const bool keep = post_norms() || recompute_ == Recompute::kOperators;
    t->mlp_branch = Row(Down(), t->activated, weights,
                        keep ? Holder::kActivations : Holder::kWorkspace,
                        &t->down_adapters);
  }
  TensorId branch = t->mlp_branch;
  if (post_norms()) {
    branch = NormForward("mlp post-norm", branch, Holder::kWorkspace);
  }
  t->output = ResidualForward("mlp residual", branch, residual,
                              Holder::kActivations, &t->mlp_mask);
}

// From the gradient of the layer's output to that of the MLP's norm.
TensorId LayerEmitter::MlpBackward(const LayerTensors& t, TensorId gradient,
                                   TensorId weights) {
  TensorId branch =
      ResidualBackward("mlp dropout backward", gradient, t.mlp_mask);
  if (post_norms()) {
    branch = NormBackward("mlp post-norm backward", t.mlp_branch, branch);
  }
  if (ExpertsHere()) return ExpertBackward(t, branch, weights);
  const TensorId activated =
      RowBackward(Down(), t.activated, branch, weights, t.down_adapters);
  if (activated == kNoTensor) return kNoTensor;
  const TensorId up = ActivateBackward(t.up, t.gate, activated,
                                       shape_.tokens * shape_.ffn);
  return ColumnBackward(Up(), t.mlp_norm, up, weights, t.up_adapters);
}

LayerTensors LayerEmitter::Forward(TensorId input, TensorId weights) {
  if (model_.linear_stack) return StackForward(input, weights);
  LayerTensors t{.input = input};
  const bool parallel = model_.parallel_residual;
  t.attention_norm = NormBeforeProducts("attention norm", input,
                                        Holder::kActivations, !model_.latent);
  AttentionForward(&t, weights);
  t.attention_branch =
      Row(AttentionOut(), t.context, weights,
          post_norms() || recompute_ == Recompute::kDotsExceptMlp
              ? Holder::kActivations
              : Holder::kWorkspace,
          &t.out_adapters);
  TensorId branch = t.attention_branch;
  if (post_norms()) {
    branch = NormForward("attention post-norm", branch, Holder::kWorkspace);
  }
  t.mlp_input = ResidualForward("attention residual", branch, input,
                                Holder::kActivations, &t.attention_mask);
  if (parallel && model_.norms_per_layer == 1) {
    t.mlp_norm = t.attention_norm;
  } else {
    t.mlp_norm =
        NormBeforeProducts("mlp norm", parallel ? input : t.mlp_input,
                           Holder::kActivations, !ExpertsHere());
  }
  MlpForward(&t, weights, t.mlp_input);
  return t;
}

TensorId LayerEmitter::Backward(const LayerTensors& kept, TensorId gradient,
                                TensorId weights) {
  if (model_.linear_stack) return StackBackward(kept, gradient, weights);
  const LayerTensors t = Recomputed(kept, weights);
  const bool parallel = model_.parallel_residual;
  const TensorId mlp = MlpBackward(t, gradient, weights);
  if (mlp == kNoTensor) return kNoTensor;
  // The gradient of the residual stream between the two halves.
  TensorId middle = gradient;
  TensorId shared = kNoTensor;  // one norm feeds both halves
  if (parallel && model_.norms_per_layer == 1) {
    shared = mlp;
  } else {
    const TensorId norm = NormBackward("mlp norm backward",
                                       parallel ? t.input : t.mlp_input, mlp);
    middle = Add("residual gradient", norm, gradient);
  }
  TensorId branch =
      ResidualBackward("attention dropout backward",
                       parallel ? gradient : middle, t.attention_mask);
  if (post_norms()) {
    branch = NormBackward("attention post-norm backward", t.attention_branch,
                          branch);
  }
  const TensorId context =
      RowBackward(AttentionOut(), t.context, branch, weights, t.out_adapters);
  if (context == kNoTensor) return kNoTensor;
  TensorId norm = AttentionBackward(t, context, weights);
  if (norm == kNoTensor) return kNoTensor;
  if (shared != kNoTensor) norm = Add("norm gradient", norm, shared);
  const TensorId input = NormBackward("attention norm backward", t.input, norm);
  return Add("residual gradient", input, middle);
}

}  // namespace models
