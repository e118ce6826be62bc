#include "scenarios/validate_runs.h"

#include <atomic>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "scenarios/load.h"
#include "scenarios/scenario_file.h"

namespace scenarios {
namespace {

absl::StatusOr<double> PredictRow(const RunRow& run, StepSeconds seconds) {
  const absl::StatusOr<ScenarioFile> scenario =
      ParseScenario(run.id, "# A row of a table.\nname: \"\"\n", run.sets);
  if (!scenario.ok()) return scenario.status();
  const absl::StatusOr<Inputs> inputs = InputsOf(*scenario);
  if (!inputs.ok()) return inputs.status();
  return seconds(*inputs);
}

Prediction PredictionOf(const RunRow& run, size_t row, StepSeconds seconds) {
  Prediction p{.row = static_cast<int64_t>(row) + 1,
               .id = run.id,
               .group = run.source,
               .source = run.source,
               .scored = run.scored,
               .metric = "step_seconds",
               .measured = run.measured_seconds};
  const absl::StatusOr<double> predicted =
      run.skip.empty() ? PredictRow(run, seconds)
                       : absl::FailedPreconditionError(run.skip);
  if (predicted.ok()) {
    p.predicted = *predicted;
  } else {
    p.status = PredictionStatus::kSkipped;
    p.reason = std::string(predicted.status().message());
  }
  return p;
}

}  // namespace

std::vector<Prediction> PredictRuns(const sim::CsvFile& csv,
                                    const TableRules& rules, int threads,
                                    StepSeconds step_seconds) {
  std::vector<Prediction> predictions(csv.rows());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t row = next++; row < csv.rows(); row = next++) {
      const RunRow run = RowOf(rules, csv, row);
      predictions[row] = PredictionOf(run, row, step_seconds);
    }
  };
  std::vector<std::jthread> workers;
  for (int i = 1; i < threads; ++i) workers.emplace_back(work);
  work();
  workers.clear();  // joins
  return predictions;
}

}  // namespace scenarios
