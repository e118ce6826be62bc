// Predicts every measured run of a suite.
//
//   PredictSuite(*LoadSuite("megatron-lm-2021.textproto"), 2, FiguresOf);
//   // {.row = 1, .id = "gpt-1.7b", .metric = "step_seconds", …}
#ifndef SCENARIOS_VALIDATE_SUITE_H_
#define SCENARIOS_VALIDATE_SUITE_H_

#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "scenarios/inputs.h"
#include "scenarios/prediction.h"
#include "scenarios/suite.h"

namespace scenarios {

// What a run is predicted to take; memory of the fullest GPU.
struct RunFigures {
  double step_seconds = 0;
  double peak_allocated_gib = 0;
  double peak_reserved_gib = 0;
};

// Called from several threads at once.
using FiguresOf =
    absl::FunctionRef<absl::StatusOr<RunFigures>(const Inputs&)>;

// One prediction for each measured figure, in the suite's order whatever the
// number of threads; a measured rate counts as the step time it means. A run
// that cannot be simulated, or with nothing measured, is skipped with the
// reason. Fails on the first run that does not load.
// REQUIRES: threads > 0.
absl::StatusOr<std::vector<Prediction>> PredictSuite(const Suite& suite,
                                                     int threads,
                                                     FiguresOf figures);

}  // namespace scenarios

#endif  // SCENARIOS_VALIDATE_SUITE_H_
