// From the fields of a `training` message to a TrainingSpec, and whether they
// fit the model and the cluster.
//
//   // training.parallel.pipeline: 7 does not divide the model's 80 layers; …
//   CheckTraining(inputs, file.At("training"))
//
// To add a setting: a field in training.proto and one in models/training.h, a
// line in TrainingSpecOf, and its check in training_checks.cc.
#ifndef SCENARIOS_TRAINING_FIELDS_H_
#define SCENARIOS_TRAINING_FIELDS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "models/training.h"
#include "scenarios/inputs.h"
#include "scenarios/training.pb.h"
#include "sim/text_file.h"

namespace scenarios {

// The fused kernels by the names that scenario files give them.
struct NamedAttention {
  proto::Kernels::Attention name;
  models::AttentionFamily family;
};
inline constexpr NamedAttention kAttentionFamilies[] = {
    {proto::Kernels::FLASH_1, models::AttentionFamily::kFlash1},
    {proto::Kernels::TRITON, models::AttentionFamily::kTriton},
    {proto::Kernels::FLASH_2, models::AttentionFamily::kFlash2},
    {proto::Kernels::FLASH_3, models::AttentionFamily::kFlash3},
    {proto::Kernels::CUDNN, models::AttentionFamily::kCudnn},
};

// Lengths spelled out; uniform ones rounded up to what `context` ranks can cut
// in two pieces each.
models::Sequences SequencesOf(const proto::Sequences& message, int64_t context);

// A copy of the fields. split.chunk_layers stands for a model of `layers`
// layers; split.data is that of `gpus` GPUs where the message has none.
models::TrainingSpec TrainingSpecOf(const proto::Training& training,
                                    int64_t layers, int64_t gpus);

// Fails at the first setting that is missing, or does not fit the others, the
// model or the cluster. `field` is where `training` stands in the scenario.
absl::Status CheckTraining(const proto::Training& training,
                           const Inputs& inputs, const sim::TextField& field);
// Of these, context parallelism and packed sequences (context_checks.cc).
absl::Status CheckContext(const proto::Training& training, const Inputs& inputs,
                          const sim::TextField& field);

}  // namespace scenarios

#endif  // SCENARIOS_TRAINING_FIELDS_H_
