// From `training { offload { … } }` to models::Offload, and whether it fits the
// rest.
//
//   // training.offload.optimizer: needs what the host's memory carries; …
//   CheckOffload(training, inputs, file.At("training"))
#ifndef SCENARIOS_OFFLOAD_FIELDS_H_
#define SCENARIOS_OFFLOAD_FIELDS_H_

#include "absl/status/status.h"
#include "models/offload.h"
#include "scenarios/inputs.h"
#include "scenarios/training.pb.h"
#include "sim/text_file.h"

namespace scenarios {

models::Offload OffloadOf(const proto::Offload& offload);

// `field` is where `training` stands.
absl::Status CheckOffload(const Inputs& inputs, const sim::TextField& field);

}  // namespace scenarios

#endif  // SCENARIOS_OFFLOAD_FIELDS_H_
