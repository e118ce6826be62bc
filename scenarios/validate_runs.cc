#include "scenarios/validate_runs.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "scenarios/in_threads.h"
#include "scenarios/load.h"
#include "scenarios/scenario_file.h"

namespace scenarios {
namespace {

absl::StatusOr<double> PredictRow(const RunRow& run, StepSeconds seconds) {
  const absl::StatusOr<Inputs> inputs = InputsOfRow(run);
  if (!inputs.ok()) return inputs.status();
  return seconds(*inputs);
}

Prediction PredictionOf(const RunRow& run, size_t row, StepSeconds seconds) {
  Prediction p{.row = static_cast<int64_t>(row) + 1,
               .id = run.id,
               .group = run.source,
               .source = run.source,
               .scored = run.scored,
               .series = run.series,
               .metric = "step_seconds",
               .measured = run.measured_seconds};
  const absl::StatusOr<double> predicted = PredictRow(run, seconds);
  if (predicted.ok()) {
    p.predicted = *predicted;
  } else {
    p.status = PredictionStatus::kSkipped;
    p.reason = std::string(predicted.status().message());
  }
  return p;
}

}  // namespace

absl::StatusOr<Inputs> InputsOfRow(const RunRow& run,
                                   std::span<const std::string> sets) {
  if (!run.skip.empty()) return absl::FailedPreconditionError(run.skip);
  std::vector<std::string> all = run.sets;
  all.insert(all.end(), sets.begin(), sets.end());
  const absl::StatusOr<ScenarioFile> scenario =
      ParseScenario(run.id, "# A row of a table.\nname: \"\"\n", all);
  if (!scenario.ok()) return scenario.status();
  return InputsOf(*scenario);
}

std::vector<Prediction> PredictRuns(const sim::CsvFile& csv,
                                    const TableRules& rules, int threads,
                                    StepSeconds step_seconds) {
  std::vector<Prediction> predictions(csv.rows());
  InThreads(csv.rows(), threads, [&](size_t row) {
    predictions[row] = PredictionOf(RowOf(rules, csv, row), row, step_seconds);
  });
  return predictions;
}

}  // namespace scenarios
