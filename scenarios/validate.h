// Predicts every row of a table of measurements, whatever it measures, or every
// run of a suite.
//
//   Validate("training_runs.csv", {"source_key", "gpu"}, 2);
//   Validate("megatron-lm-2021", {}, 2);  // scenarios/published
//   ValidateMemory("training_runs.csv", 2);
//
// To validate another table: rules in scenarios/tables (runs), or a function
// from its path to predictions, named here by the columns that tell it apart.
#ifndef SCENARIOS_VALIDATE_H_
#define SCENARIOS_VALIDATE_H_

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "scenarios/prediction.h"
#include "scenarios/validate_memory.h"

namespace scenarios {

// Rows are grouped by the cells of the columns `by`, of which "family" is the
// predictions' own where the table has no such column. Fails on a file that
// cannot be read, on columns of no known table, on an unknown name in `by` and
// on a suite with a run that does not load.
// REQUIRES: threads > 0.
absl::StatusOr<std::vector<Prediction>> Validate(
    const std::string& path, std::span<const std::string> by, int threads);

// Whether what ran fits: for tables of runs. Fails as Validate does.
// REQUIRES: threads > 0.
absl::StatusOr<std::vector<MemoryCheck>> ValidateMemory(const std::string& path,
                                                        int threads);

}  // namespace scenarios

#endif  // SCENARIOS_VALIDATE_H_
