// From `training { optimizer: … optimizer_options { … } }` to what models
// takes, and whether it fits the rest.
//
//   // training.optimizer_options.muon_sharding: LAYERS leaves weights whole; …
//   CheckOptimizer(training, inputs, file.At("training"))
#ifndef SCENARIOS_OPTIMIZER_FIELDS_H_
#define SCENARIOS_OPTIMIZER_FIELDS_H_

#include "absl/status/status.h"
#include "models/optimizer_options.h"
#include "models/training.h"
#include "scenarios/inputs.h"
#include "scenarios/training.pb.h"
#include "sim/text_file.h"

namespace scenarios {

models::Optimizer OptimizerOf(const proto::Training& training);
models::OptimizerOptions OptimizerOptionsOf(
    const proto::OptimizerOptions& options);

// `field` is where `training` stands.
absl::Status CheckOptimizer(const proto::Training& training,
                            const Inputs& inputs, const sim::TextField& field);

}  // namespace scenarios

#endif  // SCENARIOS_OPTIMIZER_FIELDS_H_
