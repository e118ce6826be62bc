// From a scenario file to Inputs, the only step that can fail: whatever is
// wrong is said here, with its place and what would work.
//
//   absl::StatusOr<Inputs> inputs =
//       Load("library/llama3-70b-64xh100.textproto", {"cluster.nodes=16"});
//   // a.textproto:12:14: training.parallel.pipeline: 7 does not divide the
//   // model's 80 layers; 1, 2, 4, 5, 8, 10, 16, 20, 40 or 80 would (or set …)
#ifndef SCENARIOS_LOAD_H_
#define SCENARIOS_LOAD_H_

#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "scenarios/inputs.h"
#include "scenarios/scenario_file.h"

namespace scenarios {

// `path` is a file, or the name of one in scenarios/library.
absl::StatusOr<Inputs> Load(const std::string& path,
                            std::span<const std::string> sets = {});

// What a scenario that has been read asks for.
absl::StatusOr<Inputs> InputsOf(const ScenarioFile& scenario);

}  // namespace scenarios

#endif  // SCENARIOS_LOAD_H_
