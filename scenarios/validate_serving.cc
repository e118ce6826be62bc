#include "scenarios/validate_serving.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "scenarios/in_threads.h"
#include "scenarios/scenario_file.h"
#include "scenarios/serving_inputs.h"

namespace scenarios {
namespace {

constexpr double kMs = 1e3;

// "mean" or a share, of what stands behind the name of a latency.
double Statistic(const Latencies& latencies, absl::string_view which) {
  if (which == "mean_ms") return latencies.mean() * kMs;
  if (which == "p50_ms") return latencies.Quantile(0.5) * kMs;
  if (which == "p90_ms") return latencies.Quantile(0.9) * kMs;
  if (which == "p99_ms") return latencies.Quantile(0.99) * kMs;
  return -1;
}

double Statistic(const sim::Histogram& gaps, absl::string_view which) {
  if (gaps.count() == 0) return 0;
  if (which == "mean_ms") return gaps.mean_seconds() * kMs;
  const double share = which == "p50_ms" ? 0.5 : which == "p90_ms" ? 0.9 : 0.99;
  return sim::InSeconds(gaps.Quantile(share)) * kMs;
}

absl::StatusOr<ServingOutcome> RunRowOf(const RunRow& run) {
  if (!run.skip.empty()) return absl::FailedPreconditionError(run.skip);
  const absl::StatusOr<ScenarioFile> scenario =
      ParseScenario(run.id, "# A row of a table.\nname: \"\"\n", run.sets);
  if (!scenario.ok()) return scenario.status();
  const absl::StatusOr<ServingInputs> inputs = ServingInputsOf(*scenario);
  if (!inputs.ok()) return inputs.status();
  if (!Fits(*inputs)) {
    return absl::FailedPreconditionError("does not fit in memory");
  }
  ServingOutcome outcome = Serve(*inputs);
  if (outcome.counted == 0) {
    return absl::FailedPreconditionError("no request is served: too long");
  }
  return outcome;
}

}  // namespace

double MetricOf(const ServingOutcome& o, absl::string_view metric) {
  if (metric == "output_tput_tok_s") {
    return static_cast<double>(o.output_tokens) /
           sim::InSeconds(o.last_done - o.first_arrival);
  }
  if (absl::ConsumePrefix(&metric, "ttft_")) return Statistic(o.ttft, metric);
  if (absl::ConsumePrefix(&metric, "tpot_")) return Statistic(o.tpot, metric);
  if (absl::ConsumePrefix(&metric, "e2e_")) return Statistic(o.e2e, metric);
  if (absl::ConsumePrefix(&metric, "itl_")) {
    return Statistic(o.served.gaps, metric);
  }
  return -1;
}

std::vector<Prediction> PredictServing(const sim::CsvFile& csv,
                                       const TableRules& rules, int threads) {
  std::vector<std::vector<Prediction>> of_row(csv.rows());
  InThreads(csv.rows(), threads, [&](size_t row) {
    const RunRow run = RowOf(rules, csv, row);
    const absl::StatusOr<ServingOutcome> outcome = RunRowOf(run);
    std::vector<std::pair<std::string, double>> metrics = run.metrics;
    if (metrics.empty()) metrics.emplace_back("none", 0);
    for (const auto& [metric, measured] : metrics) {
      Prediction p{.row = static_cast<int64_t>(row) + 1,
                   .id = run.id,
                   .group = run.source,
                   .source = run.source,
                   .scored = run.scored,
                   .metric = metric,
                   .measured = measured};
      if (outcome.ok()) p.predicted = MetricOf(*outcome, metric);
      if (!outcome.ok()) {
        p.status = PredictionStatus::kSkipped;
        p.reason = std::string(outcome.status().message());
      } else if (p.predicted <= 0) {
        p.status = PredictionStatus::kSkipped;
        p.reason = absl::StrCat("no ", metric, " of a run like this");
      }
      of_row[row].push_back(std::move(p));
    }
  });
  std::vector<Prediction> all;
  for (std::vector<Prediction>& row : of_row) {
    for (Prediction& p : row) all.push_back(std::move(p));
  }
  return all;
}

}  // namespace scenarios
