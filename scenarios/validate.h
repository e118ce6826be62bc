// Predicts every row of a table of measurements, whatever it measures.
//
//   Validate("training_runs.csv", {"source_key", "gpu"}, 2);
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

namespace scenarios {

// Rows are grouped by the cells of the columns `by`, of which "family" is the
// predictions' own where the table has no such column. Fails on a file that
// cannot be read, on columns of no known table and on an unknown name in `by`.
// REQUIRES: threads > 0.
absl::StatusOr<std::vector<Prediction>> Validate(
    const std::string& path, std::span<const std::string> by, int threads);

}  // namespace scenarios

#endif  // SCENARIOS_VALIDATE_H_
