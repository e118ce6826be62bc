// FP8 copies of weights: what makes them, when, and what they take.
//
//   // Transformer Engine, current scaling: a pass for the largest value, then
//   // one that reads 2 bytes and writes the FP8 weight and its transpose.
//   WeightCastOf(training, false);  // reads 4, writes 2, first microbatch
//
// With fp8_param_gather and Transformer Engine weights are FP8 alone: the
// optimizer casts its share (Megatron's --fp8-param-gather).
#ifndef MODELS_FP8_WEIGHTS_H_
#define MODELS_FP8_WEIGHTS_H_

#include <cstdint>
#include <optional>
#include <span>

#include "absl/strings/string_view.h"
#include "models/model_spec.h"
#include "models/op_graph.h"
#include "models/rank_shape.h"
#include "models/training.h"

namespace models {

// Bytes per parameter.
struct WeightCast {
  absl::string_view name = "quantise weights";
  int64_t read = 0, written = 0;
  int kernels = 1;
  When when = When::kFirstMicrobatch;
};
// Before a layer's forward pass or its backward pass; nothing if no kernel runs.
// REQUIRES: the precision is FP8.
std::optional<WeightCast> WeightCastOf(const TrainingSpec& training,
                                       bool backward);

// Whether matrices are kept in FP8 with no 16-bit copy.
bool KeepsFp8Weights(const TrainingSpec& training);

// Elements of the weight matrices of `chunks` that are multiplied in FP8.
ParameterCounts Fp8Elements(const ModelSpec& model, const RankShape& shape,
                            const TrainingSpec& training,
                            std::span<const Chunk> chunks);

// Bytes of weights that a rank of `chunks` holds beyond two a parameter; below
// zero where it holds fewer.
sim::Bytes Fp8WeightBytes(const ModelSpec& model, const TrainingSpec& training,
                          std::span<const Chunk> chunks);

}  // namespace models

#endif  // MODELS_FP8_WEIGHTS_H_
