// Whether the settings of `serving` fit each other, the model and the machines.
//
//   // serving.parallel.tensor: 3 does not divide the model's 32 heads; …
//   CheckServing(settings, model, file.At("serving"));
#ifndef SCENARIOS_SERVING_CHECKS_H_
#define SCENARIOS_SERVING_CHECKS_H_

#include <span>

#include "absl/status/status.h"
#include "hardware/cluster.pb.h"
#include "models/model_spec.h"
#include "scenarios/serving.pb.h"
#include "scenarios/serving_inputs.h"
#include "sim/text_file.h"

namespace scenarios {

// Of one kind of engines; `place` is where it stands: `serving`, or a pool.
absl::Status CheckServing(const proto::Serving& settings,
                          const models::ModelSpec& model,
                          const sim::TextField& place);

// Of all of them together; `cluster` is the scenario's.
absl::Status CheckFleet(const proto::Serving& serving,
                        std::span<const ServingPool> pools,
                        const hardware::proto::Cluster& cluster,
                        const sim::TextField& place);

}  // namespace scenarios

#endif  // SCENARIOS_SERVING_CHECKS_H_
