// Predicts each measured figure of each row of a table of serving runs.
//
//   PredictServing(csv, *RulesFor(csv), 2);
//   // {.row = 1, .metric = "ttft_mean_ms", .measured = 102, …}, …
//
// A row is simulated once; its figures are:
//
//   output_tput_tok_s        tokens generated over the run's whole time
//   ttft_*, tpot_*, e2e_*_ms  over its requests: mean, p50, p90, p99
//   itl_*_ms                  over all gaps between two tokens
//
// To add a figure: a row of the table in the .cc.
#ifndef SCENARIOS_VALIDATE_SERVING_H_
#define SCENARIOS_VALIDATE_SERVING_H_

#include <vector>

#include "absl/strings/string_view.h"
#include "scenarios/prediction.h"
#include "scenarios/serving_run.h"
#include "scenarios/table_rules.h"
#include "sim/csv_file.h"

namespace scenarios {

// In the metric's unit; negative for an unknown metric.
double MetricOf(const ServingOutcome& outcome, absl::string_view metric);

// For each row one prediction for each figure it has, in the table's order; one
// that is skipped where it has none. REQUIRES: the rules are of a table of
// serving runs; threads > 0.
std::vector<Prediction> PredictServing(const sim::CsvFile& csv,
                                       const TableRules& rules, int threads);

}  // namespace scenarios

#endif  // SCENARIOS_VALIDATE_SERVING_H_
