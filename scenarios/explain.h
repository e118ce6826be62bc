// A scenario with every default resolved, as text that is itself a scenario:
//
//   training {
//     micro_batch: 1        # sequences; default
//     kernels {
//       attention: CUDNN    # megatron-core.textproto:12
//
// Loading what Explain prints gives the same Inputs.
#ifndef SCENARIOS_EXPLAIN_H_
#define SCENARIOS_EXPLAIN_H_

#include <string>

#include "absl/status/statusor.h"
#include "scenarios/scenario_file.h"

namespace scenarios {

// Each value with its unit and where it comes from: file:line, --set, the
// profile, the model's or the cluster's file, "default", or how it is derived.
// Fails where Load would.
absl::StatusOr<std::string> Explain(const ScenarioFile& scenario);

}  // namespace scenarios

#endif  // SCENARIOS_EXPLAIN_H_
