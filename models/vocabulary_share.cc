// A pipeline stage's share of the embedding and the head, where the stages
// divide them (Yeung et al. 2024, arXiv:2411.05288, sections 4 and 5).
//
//   forward, S   embedding rows, summed over the stages; logits of the share
//                from the last stage's output; their maxima and sums
//   backward, T  gradients of the share
//
// With one barrier S also makes the gradient of the last stage's output from
// the softmax of its own share, and T corrects it by the sums of all.
#include <algorithm>
#include <utility>

#include "models/data_parallel.h"
#include "models/layer_emitter.h"
#include "models/training_graph.h"

namespace models {

Linear LayerEmitter::HeadShare() const {
  const int64_t stages = training_.split.pipeline;
  return {.name = "logits",
          .data_gradient = "logits dgrad",
          .weight_gradient = "logits wgrad",
          .in = model_.hidden,
          .out = (shape_.vocab + stages - 1) / stages,
          .low_precision = false};
}

TensorId LayerEmitter::HandOver(bool forward, TensorId sent, Holder holder) {
  MemoryBound nothing;
  nothing.kernels = 0;
  const int64_t elements =
      sent == kNoTensor ? shape_.shard * model_.hidden : 0;
  return b_.Add(
      {.work = Kernel(nothing),
       .name = forward ? "hand over activations" : "hand over gradients",
       .hand_over = true},
      {sent}, Words(elements), holder);
}

TensorId LayerEmitter::Meet(CollectiveKind kind, absl::string_view name,
                            sim::Bytes bytes, DType dtype, TensorId reads,
                            sim::Bytes output, Holder holder) {
  return b_.Add({.work = Collective{.kind = kind,
                                    .axis = Axis::kVocabulary,
                                    .bytes = bytes,
                                    .dtype = dtype},
                 .name = name},
                {reads}, output, holder);
}

// Each stage looks up its own rows and leaves the others zero; the sum goes to
// the first stage, of a later microbatch than the logits': nobody waits for it.
// What reduces to one rank moves as much as what scatters the sums.
void LayerEmitter::EmbedShare() {
  const int64_t elements = shape_.tokens * model_.hidden;
  const TensorId rows = b_.Add(
      {.work = Kernel(
           MemoryBound{.kind = models::Pointwise::kEmbedding,
                       .read = Words(elements / training_.split.pipeline),
                       .written = Words(elements),
                       .flops = sim::Flops(0)}),
       .name = "embedding"},
      {}, Words(elements));
  Meet(CollectiveKind::kReduceScatter, "sum embedding", Words(elements),
       shape_.activation, rows, sim::Bytes(0), Holder::kWorkspace);
}

// The first stage's gradient, of an earlier microbatch, came to all.
void LayerEmitter::EmbedShareBackward(TensorId gradient) {
  const int64_t elements = shape_.tokens * model_.hidden;
  b_.Add({.work = Kernel(
              MemoryBound{.kind = models::Pointwise::kEmbedding,
                          .read = Words(elements),
                          .written = Words(elements / training_.split.pipeline),
                          .flops = sim::Flops(0)}),
          .name = "embedding backward"},
         {gradient});
  // What the head's product has not made already.
  KeepGradient(std::max<int64_t>(0, shape_.EndsOf({.vocabulary = true}) -
                                        HeadShare().in * HeadShare().out));
}

TensorId LayerEmitter::SoftmaxGradient(const ShareTensors& t) {
  const Linear head = HeadShare();
  const bool fused = training_.kernels.fused_cross_entropy;
  Pointwise("cross-entropy backward", PointwiseOp::kCrossEntropyBackward, fused,
            shape_.tokens * head.out, {t.logits, t.statistics}, sim::Bytes(0),
            Holder::kLogits);
  b_.Writes(t.logits);
  return Multiply(Shape(head, head.in, head.out), head.data_gradient,
                  {t.logits}, Holder::kWorkspace);
}

TensorId LayerEmitter::SumOutputGradient(TensorId partial) {
  const sim::Bytes bytes = Words(shape_.tokens * model_.hidden);
  return Meet(CollectiveKind::kReduceScatter, "sum output gradient", bytes,
              shape_.activation, partial, bytes, Holder::kWorkspace);
}

LayerEmitter::ShareTensors LayerEmitter::ShareForward(TensorId sent) {
  const Linear head = HeadShare();
  const sim::Bytes bytes = Words(shape_.tokens * model_.hidden);
  ShareTensors t;
  t.embedding =
      Meet(CollectiveKind::kBroadcast, "embedding gradient", bytes,
           shape_.activation, kNoTensor, bytes, Holder::kWorkspace);
  t.input = Meet(CollectiveKind::kBroadcast, "last stage's output", bytes,
                 shape_.activation, sent, bytes, Holder::kActivations);
  t.logits = Multiply(Shape(head, head.out, head.in), head.name, {t.input},
                      Holder::kLogits);
  t.statistics = Pointwise(
      "cross-entropy", PointwiseOp::kCrossEntropyForward,
      training_.kernels.fused_cross_entropy, shape_.tokens * head.out,
      {t.logits}, BytesOf(DType::kFp32, 3 * shape_.tokens), Holder::kLogits);
  const bool one = training_.split.vocabulary == VocabularySplit::kOneBarrier;
  if (one) t.gradient = SoftmaxGradient(t);
  Meet(CollectiveKind::kAllReduce, "sum softmax statistics",
       BytesOf(DType::kFp32, 3 * shape_.tokens), DType::kFp32, t.statistics,
       sim::Bytes(0), Holder::kWorkspace);
  b_.Writes(t.statistics);
  if (one) t.gradient = SumOutputGradient(t.gradient);
  EmbedShare();
  return t;
}

TensorId LayerEmitter::ShareBackward(const ShareTensors& t) {
  const Linear head = HeadShare();
  TensorId gradient = t.gradient;
  if (gradient == kNoTensor) {
    gradient = SumOutputGradient(SoftmaxGradient(t));
  } else {
    const int64_t elements = shape_.tokens * model_.hidden;
    Pointwise("scale by softmax sums", PointwiseOp::kAdd, true, elements,
              {t.input, t.statistics}, sim::Bytes(0), Holder::kWorkspace);
    b_.Writes(t.input);
  }
  WeightGradient(head, t.input, t.logits);
  EmbedShareBackward(t.embedding);
  return gradient;
}

OpGraph BuildVocabularyChunk(const ModelSpec& model,
                             const TrainingSpec& training, const Chunk& chunk) {
  OpGraphBuilder b;
  LayerEmitter layers(model, training, &b);
  DataParallel data(training, layers.shape(), &b);
  b.SetPhase(Phase::kForward);
  const auto t = layers.ShareForward(
      chunk.from_here ? layers.HandOver(true, kNoTensor, Holder::kWorkspace)
                      : kNoTensor);
  b.SetPhase(Phase::kBackward);
  const TensorId gradient = layers.ShareBackward(t);
  if (chunk.to_here) layers.HandOver(false, gradient, Holder::kWorkspace);
  data.Reduce(layers.shape().EndsOf(chunk), layers.TakeGradients());
  data.Flush();
  return std::move(b).Build().value();  // ids only point backwards
}

}  // namespace models
