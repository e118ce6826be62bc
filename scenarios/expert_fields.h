// From the fields of `training.experts` to ExpertOptions, and whether they and
// the expert-parallel split fit the model and the cluster.
//
//   // training.parallel.expert: 7 does not divide the model's 8 experts; …
//   CheckExperts(inputs, file.At("training"))
//
// To add a setting: a field in expert_options.proto and one in
// models/expert_options.h, a line in ExpertOptionsOf, and its check in
// expert_checks.cc.
#ifndef SCENARIOS_EXPERT_FIELDS_H_
#define SCENARIOS_EXPERT_FIELDS_H_

#include "absl/status/status.h"
#include "models/expert_options.h"
#include "scenarios/expert_options.pb.h"
#include "scenarios/inputs.h"
#include "sim/text_file.h"

namespace scenarios {

models::ExpertOptions ExpertOptionsOf(const proto::ExpertOptions& experts);

// Fails at the first setting of experts that does not fit. `field` is where
// `training` stands in the scenario.
absl::Status CheckExperts(const Inputs& inputs, const sim::TextField& field);

}  // namespace scenarios

#endif  // SCENARIOS_EXPERT_FIELDS_H_
