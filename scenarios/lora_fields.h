// From `training { lora { … } }` to a LoraSpec, and whether it fits the rest.
//
//   // training.lora.rank: 12 is not a multiple of parallel.tensor, 8; 16 would
//   CheckLora(training.lora(), inputs, file.At("training"))
#ifndef SCENARIOS_LORA_FIELDS_H_
#define SCENARIOS_LORA_FIELDS_H_

#include "absl/status/status.h"
#include "models/lora.h"
#include "scenarios/inputs.h"
#include "scenarios/training.pb.h"
#include "sim/text_file.h"

namespace scenarios {

// Target names that are unknown are left out; CheckLora says which.
models::LoraSpec LoraSpecOf(const proto::Training& training);

// `field` is where `training` stands.
absl::Status CheckLora(const proto::Training& training, const Inputs& inputs,
                       const sim::TextField& field);

}  // namespace scenarios

#endif  // SCENARIOS_LORA_FIELDS_H_
