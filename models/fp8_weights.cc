#include "models/fp8_weights.h"

#include <algorithm>

#include "models/weight_matrices.h"

namespace models {
namespace {

// torchao casts at each use, for the forward product and, in the other layout,
// for the input gradient; gathered in FP8, weights need the other layout alone
// (Float8Linear; fsdp_utils.py).
std::optional<WeightCast> TorchAoCast(const TrainingSpec& training,
                                      bool backward) {
  WeightCast cast{.read = 2, .written = 1, .when = When::kAlways};
  if (training.split.zero == 3 && training.fp8_param_gather) {
    if (!backward) return {};
    return WeightCast{.name = "transpose weights",
                      .read = 1,
                      .written = 1,
                      .when = When::kAlways};
  }
  if (training.fp8.scaling == Fp8Scaling::kCurrent) {
    cast.read += 2;
    ++cast.kernels;
  }
  return cast;
}

}  // namespace

std::optional<WeightCast> WeightCastOf(const TrainingSpec& training,
                                       bool backward) {
  const Fp8Recipe& recipe = training.fp8;
  const bool sharded = training.split.zero == 3;
  const bool in_fp8 = training.fp8_param_gather;
  if (!recipe.stated()) {
    // A cast and a transpose: once a step where weights are resident, after
    // every gathering where they are not.
    if (sharded ? in_fp8 : backward) return {};
    return WeightCast{
        .read = 2,
        .written = 2,
        .when = sharded ? When::kAlways : When::kFirstMicrobatch};
  }
  if (recipe.library == Fp8Library::kTorchAo) {
    return TorchAoCast(training, backward);
  }
  const bool kept = recipe.keep_transposes && !sharded;
  const WeightCast transpose{.name = "transpose weights",
                             .read = 1,
                             .written = 1,
                             .when = kept ? When::kFirstMicrobatch
                                          : When::kAlways};
  if (in_fp8) {
    // Where kept, made before the first forward pass.
    if (kept == backward) return {};
    return transpose;
  }
  if (backward && kept) return {};
  if (backward && !sharded) return transpose;
  WeightCast cast{.read = 2,
                  .written = kept ? 2 : 1,
                  .when = sharded ? When::kAlways : When::kFirstMicrobatch};
  if (recipe.scaling == Fp8Scaling::kCurrent) {
    cast.read += 2;
    ++cast.kernels;
  }
  return cast;
}

bool KeepsFp8Weights(const TrainingSpec& training) {
  return training.precision == Precision::kFp8 && training.fp8.stated() &&
         training.fp8.library == Fp8Library::kTransformerEngine &&
         training.fp8_param_gather;
}

ParameterCounts Fp8Elements(const ModelSpec& model, const RankShape& shape,
                            const TrainingSpec& training,
                            std::span<const Chunk> chunks) {
  ParameterCounts counts;
  for (const Chunk& chunk : chunks) {
    const int64_t further = chunk.head ? model.mtp_depth : 0;
    for (int64_t i = 0; i < chunk.layers + further; ++i) {
      if (training.fp8.in_bf16(chunk.first_layer + i, model.layers)) continue;
      const int64_t layer =
          std::min(chunk.first_layer + i, model.layers - 1);
      counts += ElementsOf(MatricesOf(model, shape, layer));
      if (model.IsExpertLayer(layer)) {  // the router stays in 16 bits
        counts.dense -= model.hidden * model.experts->count;
      }
    }
  }
  return counts;
}

sim::Bytes Fp8WeightBytes(const ModelSpec& model, const TrainingSpec& training,
                          std::span<const Chunk> chunks) {
  const Fp8Recipe& recipe = training.fp8;
  if (training.precision != Precision::kFp8 || !recipe.stated() ||
      training.split.zero == 3 ||
      recipe.library != Fp8Library::kTransformerEngine) {
    return sim::Bytes(0);
  }
  const int64_t elements =
      Fp8Elements(model, RankShape(model, training), training, chunks).total();
  const int64_t copies = recipe.keep_transposes ? 2 : 1;
  return sim::Bytes(elements *
                    (KeepsFp8Weights(training) ? copies - 2 : copies));
}

}  // namespace models
