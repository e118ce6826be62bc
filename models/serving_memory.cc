// What a rank of an inference engine holds, and the work of the whole model.
#include <algorithm>

#include "models/parameters.h"
#include "models/serving.h"

namespace models {
namespace {

// Of one weight, scales included: one in FP32 for each block of 128 x 128, or in
// 16 bits for each group of 128 of four-bit weights.
double BytesPerWeight(WeightFormat format) {
  switch (format) {
    case WeightFormat::k16Bit:
      return 2;
    case WeightFormat::kFp8:
    case WeightFormat::kInt8:
    case WeightFormat::kInt8Weights:
      return 1;
    case WeightFormat::kFp8Blocks:
      return 1 + 4.0 / (128 * 128);
    case WeightFormat::kInt4Weights:
      return 0.5 + 2.0 / 128;
  }
  return 2;
}

}  // namespace

sim::Bytes WeightBytes(const ModelSpec& model, const ServingSpec& spec) {
  const auto tensor = static_cast<double>(spec.tensor);
  const int64_t in_stage = (model.layers + spec.pipeline - 1) / spec.pipeline;
  double layers = 0;
  for (int64_t layer = model.layers - in_stage; layer < model.layers; ++layer) {
    const auto all = static_cast<double>(LayerParameters(model, layer));
    double experts = 0;
    if (model.IsExpertLayer(layer)) {
      experts = static_cast<double>(model.experts->count * model.hidden *
                                    model.experts->ffn_hidden *
                                    (model.gated_mlp ? 3 : 2));
    }
    const double dense = all - experts;
    layers += experts / tensor +
              (spec.data_parallel_attention ? dense : dense / tensor);
  }
  // Embedding and LM head, one of which is on each end of a pipeline.
  const double table =
      static_cast<double>(model.vocab * model.hidden) / tensor;
  const double tables = spec.pipeline > 1 || model.tied_embeddings ? 1 : 2;
  return sim::Bytes(static_cast<int64_t>(
      layers * BytesPerWeight(spec.weights) + tables * table * 2));
}

// The widest moment of a layer: residual, normalised rows, and the two sides of
// the activation; or the logits in FP32 beside their 16-bit form.
sim::Bytes StepActivationBytes(const ModelSpec& model, const ServingSpec& spec,
                               int64_t tokens, int64_t sampled) {
  int64_t ffn = model.ffn_hidden / spec.tensor;
  if (model.experts) {
    const Experts& e = *model.experts;
    ffn = std::max(ffn, e.top_k * e.ffn_hidden /
                            (spec.expert > 1 ? 1 : spec.tensor));
  }
  const int64_t wide = 2 * model.hidden + (model.gated_mlp ? 3 : 2) * ffn;
  const int64_t logits = sampled * model.vocab;
  return sim::Bytes(std::max(2 * tokens * wide,
                             2 * tokens * model.hidden + 10 * logits));
}

sim::Flops ServingFlops(const ModelSpec& model, double tokens, double pairs,
                        double sampled) {
  const Parameters parameters = CountParameters(model);
  const auto matrices =
      static_cast<double>(parameters.active - parameters.embedding);
  const double width = static_cast<double>(
      model.heads *
      (model.latent ? 2 * model.latent->kv_lora_rank +
                          model.latent->qk_rope_head_dim
                    : 2 * model.head_dim));
  return sim::Flops(2 * matrices * tokens +
                    2 * width * static_cast<double>(model.layers) * pairs +
                    2 * static_cast<double>(model.vocab * model.hidden) *
                        sampled);
}

}  // namespace models
