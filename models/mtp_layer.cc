// Multi-token prediction (DeepSeek-V3, arXiv:2412.19437, section 2.2), as
// Megatron-Core's MultiTokenPredictionLayer runs it: behind the model's last
// layer, one further layer for each token beyond the next.
//
//   hidden of the depth before -> norm -+
//                                       +-> side by side -> projection -> layer
//   embedding of the tokens ahead -> norm -+
//   -> norm, logits and loss, by the model's own head
//
// The projection is column-parallel and its output is gathered, so that the
// layer sees what every layer sees.
#include "models/layer_emitter.h"

namespace models {

Linear LayerEmitter::MtpProjection() const {
  return {.name = "mtp projection",
          .data_gradient = "mtp projection dgrad",
          .weight_gradient = "mtp projection wgrad",
          .in = 2 * model_.hidden,
          .out = model_.hidden / training_.split.tensor,
          .low_precision = false};
}

// Two halves of a row written side by side, or read apart.
TensorId LayerEmitter::MtpJoin(absl::string_view name,
                               std::initializer_list<TensorId> halves,
                               Holder holder) {
  const sim::Bytes both = Words(shape_.shard * 2 * model_.hidden);
  return b_.Add({.work = Kernel(MemoryBound{.kind = models::Pointwise::kCast,
                                            .read = both,
                                            .written = both,
                                            .flops = sim::Flops(0)}),
                 .name = name},
                halves, both, holder);
}

LayerEmitter::MtpTensors LayerEmitter::MtpForward(TensorId hidden,
                                                  TensorId table,
                                                  TensorId weights) {
  MtpTensors t{.hidden = hidden};
  t.embedded = EmbeddingForward(table);
  const TensorId left =
      NormForward("mtp hidden norm", hidden, Holder::kWorkspace);
  const TensorId right =
      NormForward("mtp embedding norm", t.embedded, Holder::kWorkspace);
  t.joined = MtpJoin("mtp join", {left, right}, Holder::kActivations);
  TensorId x = Column(MtpProjection(), t.joined, weights, Holder::kActivations);
  if (training_.split.tensor > 1) {
    x = TensorCollective(CollectiveKind::kAllGather, "mtp gather",
                         shape_.tokens * model_.hidden, x,
                         Words(shape_.shard * model_.hidden));
  }
  t.layer = Forward(x, weights);
  t.head = HeadForward(t.layer.output, table);
  return t;
}

// `gradient` of the layer's output, from the depth behind it; kNoTensor at the
// last. Returns that of the hidden state before it.
TensorId LayerEmitter::MtpBackward(const MtpTensors& t, TensorId gradient,
                                   TensorId table, TensorId weights) {
  TensorId output = HeadBackward(t.head, table);
  if (gradient != kNoTensor) output = Add("mtp gradient", output, gradient);
  // Each rank takes its columns of all tokens' gradients.
  const TensorId x =
      Gather(Backward(t.layer, output, weights), model_.hidden);
  const TensorId joined = ColumnBackward(MtpProjection(), t.joined, x, weights);
  const TensorId halves =
      MtpJoin("mtp join backward", {joined}, Holder::kWorkspace);
  const TensorId embedded =
      NormBackward("mtp embedding norm backward", t.embedded, halves);
  EmbeddingBackward(embedded);
  return NormBackward("mtp hidden norm backward", t.hidden, halves);
}

}  // namespace models
