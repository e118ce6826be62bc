// The two ends of the model: token embedding, and final norm, logits and loss.
// Under tensor parallelism both are split over the vocabulary (Shoeybi et al.
// 2019, section 3): each rank looks up its own rows and the results are summed;
// the loss needs the maximum, the sum of exponentials and the target's logit of
// each token from all ranks, not the logits.
#include "models/layer_emitter.h"

namespace models {
namespace {

Linear Head(const ModelSpec& model, const RankShape& shape) {
  return {.name = "logits",
          .data_gradient = "logits dgrad",
          .weight_gradient = "logits wgrad",
          .in = model.hidden,
          .out = shape.vocab,
          .bias = model.lm_head_bias,
          .low_precision = false};
}

}  // namespace

TensorId LayerEmitter::EmbeddingForward(TensorId weights) {
  const int64_t elements = shape_.tokens * model_.hidden;
  const bool learned = model_.positions == Positions::kLearned;
  const TensorId rows = b_.Add(
      {.work = Kernel(MemoryBound{
           .kind = models::Pointwise::kEmbedding,
           .read = Words(elements * (learned ? 3 : 1)),
           .written = Words(elements * (learned ? 2 : 1)),
           .flops = sim::Flops(learned ? static_cast<double>(elements) : 0),
           .kernels = learned ? 3 : 1}),
       .name = "embedding"},
      {weights}, Words(elements), Holder::kActivations);
  TensorId x = Reduce(rows, model_.hidden);
  if (model_.embedding_norm) {
    x = NormForward("embedding norm", x, Holder::kActivations);
  }
  return x;
}

void LayerEmitter::EmbeddingBackward(TensorId gradient) {
  if (model_.embedding_norm) {
    gradient = NormBackward("embedding norm backward", gradient, gradient);
  }
  gradient = Gather(gradient, model_.hidden);
  const int64_t elements = shape_.tokens * model_.hidden;
  const DType sums =
      training_.fp32_gradients ? DType::kFp32 : shape_.activation;
  b_.Add({.work = Kernel(
              MemoryBound{.kind = models::Pointwise::kEmbedding,
                          .read = Words(elements) + BytesOf(sums, elements),
                          .written = BytesOf(sums, elements),
                          .flops = sim::Flops(static_cast<double>(elements)),
                          .kernels = 2}),
          .name = "embedding backward"},
         {gradient});
  KeepGradient(shape_.embedding_parameters);
}

LayerEmitter::HeadTensors LayerEmitter::HeadForward(TensorId input,
                                                    TensorId weights) {
  if (model_.linear_stack) return StackHeadForward(input, weights);
  HeadTensors t{.input = input, .norm = input};
  if (model_.final_norm) {
    t.norm = NormForward("final norm", input, Holder::kActivations);
  }
  const bool fused = training_.kernels.fused_cross_entropy;
  t.logits = Column(Head(model_, shape_), t.norm, weights, Holder::kLogits);
  const int64_t elements = shape_.tokens * shape_.vocab;
  const sim::Bytes fp32 = BytesOf(DType::kFp32, elements);
  if (fused && training_.kernels.fp32_logits) {
    t.logits = CastLogits("logits to FP32", t.logits, DType::kFp32);
    t.probabilities =
        b_.Add({.work = Kernel(PointwiseWork(PointwiseOp::kCrossEntropyForward,
                                             fused, elements, 32, 0)),
                .name = "cross-entropy"},
               {t.logits});
    if (training_.split.tensor > 1) SumLoss(t.probabilities);
    return t;
  }
  t.probabilities = Pointwise(
      "cross-entropy", PointwiseOp::kCrossEntropyForward, fused, elements,
      {t.logits}, fused ? sim::Bytes(0) : fp32, Holder::kLogits);
  if (!fused) b_.Also(fp32, Holder::kLogits, "logits in FP32");
  if (training_.split.tensor > 1) SumLoss(t.probabilities);
  return t;
}

TensorId LayerEmitter::CastLogits(absl::string_view name, TensorId logits,
                                  DType to) {
  const int64_t elements = shape_.tokens * shape_.vocab;
  const DType from = to == DType::kFp32 ? shape_.activation : DType::kFp32;
  return b_.Add(
      {.work = Kernel(MemoryBound{.kind = models::Pointwise::kCast,
                                  .read = BytesOf(from, elements),
                                  .written = BytesOf(to, elements),
                                  .flops = sim::Flops(0)}),
       .name = name},
      {logits}, BytesOf(to, elements), Holder::kLogits);
}

// Three numbers of each token, and the loss that is made of them.
void LayerEmitter::SumLoss(TensorId probabilities) {
  const sim::Bytes token = BytesOf(DType::kFp32, shape_.tokens);
  for (int sums = 0; sums < 3; ++sums) {
    b_.Add({.work = Collective{.axis = Axis::kTensor,
                               .bytes = token,
                               .dtype = DType::kFp32},
            .name = "loss all-reduce"},
           {probabilities});
    b_.Writes(probabilities);
  }
  b_.Add({.work = Kernel(MemoryBound{
              .kind = models::Pointwise::kCrossEntropy,
              .read = token * 3,
              .written = token,
              .flops = sim::Flops(2 * static_cast<double>(shape_.tokens))}),
          .name = "loss"},
         {probabilities});
}

TensorId LayerEmitter::HeadBackward(const HeadTensors& t, TensorId weights) {
  if (model_.linear_stack) return StackHeadBackward(t, weights);
  const int64_t elements = shape_.tokens * shape_.vocab;
  const bool fused = training_.kernels.fused_cross_entropy;
  if (fused && training_.kernels.fp32_logits) {
    const TensorId in_fp32 = b_.Add(
        {.work = Kernel(PointwiseWork(PointwiseOp::kCrossEntropyBackward, fused,
                                      elements, 32, 0)),
         .name = "cross-entropy backward"},
        {t.logits, t.probabilities}, BytesOf(DType::kFp32, elements),
        Holder::kLogits);
    return NormOfHeadBackward(
        t, ColumnBackward(Head(model_, shape_), t.norm,
                          CastLogits("logits gradient to 16 bits", in_fp32,
                                     shape_.activation),
                          weights));
  }
  const TensorId logits = Pointwise(
      "cross-entropy backward", PointwiseOp::kCrossEntropyBackward, fused,
      elements, {fused ? t.logits : kNoTensor, t.probabilities},
      fused ? sim::Bytes(0) : Words(elements), Holder::kLogits);
  if (fused) {
    b_.Writes(t.logits);
  } else {
    b_.Also(BytesOf(DType::kFp32, elements), Holder::kLogits,
            "gradient of the logits in FP32");
  }
  return NormOfHeadBackward(
      t, ColumnBackward(Head(model_, shape_), t.norm, fused ? t.logits : logits,
                        weights));
}

TensorId LayerEmitter::FinalNormForward(TensorId input) {
  return model_.final_norm
             ? NormForward("final norm", input, Holder::kActivations)
             : input;
}

TensorId LayerEmitter::FinalNormBackward(TensorId input, TensorId gradient) {
  return model_.final_norm
             ? NormBackward("final norm backward", input, gradient)
             : gradient;
}

TensorId LayerEmitter::NormOfHeadBackward(const HeadTensors& t,
                                          TensorId gradient) {
  return FinalNormBackward(t.input, gradient);
}

}  // namespace models
