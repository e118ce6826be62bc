// Predicts the step time of each row of a table of measured runs.
//
//   PredictRuns(csv, *RulesFor(csv), {}, 2, StepSeconds);
//   // {.row = 1, .id = "llm-foundry_h100_…", .measured = 16.27, …}
//
// To predict another table of runs: table_rules.h.
#ifndef SCENARIOS_VALIDATE_RUNS_H_
#define SCENARIOS_VALIDATE_RUNS_H_

#include <span>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "scenarios/inputs.h"
#include "scenarios/prediction.h"
#include "scenarios/table_rules.h"
#include "sim/csv_file.h"

namespace scenarios {

// The simulated step time of a scenario in seconds. Called from several threads
// at once.
using StepSeconds = absl::FunctionRef<absl::StatusOr<double>(const Inputs&)>;

// What a row asks for, with `sets` applied over what its rules set. Fails with
// the reason if the rules skip it or the scenario does not load.
absl::StatusOr<Inputs> InputsOfRow(const RunRow& run,
                                   std::span<const std::string> sets = {});

// One prediction per row, in the table's order whatever the number of threads.
// Rows are grouped by source. A row whose rules skip it, whose scenario does
// not load or cannot run is skipped with that reason.
//
// REQUIRES: the rules are for this table; threads > 0.
std::vector<Prediction> PredictRuns(const sim::CsvFile& csv,
                                    const TableRules& rules, int threads,
                                    StepSeconds step_seconds);

}  // namespace scenarios

#endif  // SCENARIOS_VALIDATE_RUNS_H_
