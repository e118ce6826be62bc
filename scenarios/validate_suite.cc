#include "scenarios/validate_suite.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "scenarios/in_threads.h"
#include "scenarios/load.h"

namespace scenarios {
namespace {

// What was measured, as the step time it means; nothing if no speed was.
std::optional<double> MeasuredSeconds(const Inputs& inputs) {
  if (inputs.measured->step_seconds) return inputs.measured->step_seconds;
  if (!inputs.measured->tokens_per_second_per_gpu) return {};
  const auto tokens = static_cast<double>(inputs.training.global_batch *
                                          inputs.training.sequence_length);
  return tokens / static_cast<double>(inputs.training.split.ranks()) /
         *inputs.measured->tokens_per_second_per_gpu;
}

// A run's figures, one prediction each.
class RunPredictions {
 public:
  RunPredictions(const Suite& suite, size_t run, std::string series,
                 const absl::StatusOr<RunFigures>& figures)
      : suite_(suite),
        run_(run),
        series_(std::move(series)),
        figures_(figures) {}

  void Add(const std::string& metric, std::optional<double> measured,
           double RunFigures::*predicted) {
    if (!measured) return;
    Prediction p = New(metric);
    p.measured = *measured;
    p.series = series_;
    if (metric != "step_seconds") {
      p.group = absl::StrCat(suite_.name, " ", metric);
      p.secondary = true;
    }
    if (figures_.ok()) {
      p.predicted = (*figures_).*predicted;
    } else {
      Skip(std::string(figures_.status().message()), &p);
    }
    list_.push_back(std::move(p));
  }

  void AddUnmeasured() {
    Prediction p = New("step_seconds");
    Skip("nothing was measured", &p);
    list_.push_back(std::move(p));
  }

  std::vector<Prediction> Take() { return std::move(list_); }

 private:
  Prediction New(const std::string& metric) const {
    return {.row = static_cast<int64_t>(run_) + 1,
            .id = suite_.fields.run(static_cast<int>(run_)).name(),
            .group = suite_.name,
            .source = suite_.name,
            .metric = metric};
  }

  static void Skip(std::string reason, Prediction* p) {
    p->status = PredictionStatus::kSkipped;
    p->reason = std::move(reason);
  }

  const Suite& suite_;
  const size_t run_;
  const std::string series_;
  const absl::StatusOr<RunFigures>& figures_;
  std::vector<Prediction> list_;
};

std::vector<Prediction> PredictRun(const Suite& suite, size_t run,
                                   const Inputs& inputs, FiguresOf figures_of) {
  if (!inputs.measured) {
    const absl::StatusOr<RunFigures> none = RunFigures();
    RunPredictions unmeasured(suite, run, "", none);
    unmeasured.AddUnmeasured();
    return unmeasured.Take();
  }
  const absl::StatusOr<RunFigures> figures = figures_of(inputs);
  RunPredictions predictions(suite, run, inputs.measured->series, figures);
  predictions.Add("step_seconds", MeasuredSeconds(inputs),
                  &RunFigures::step_seconds);
  predictions.Add("peak_allocated_gib", inputs.measured->peak_allocated_gib,
                  &RunFigures::peak_allocated_gib);
  predictions.Add("peak_reserved_gib", inputs.measured->peak_reserved_gib,
                  &RunFigures::peak_reserved_gib);
  return predictions.Take();
}

}  // namespace

absl::StatusOr<std::vector<Prediction>> PredictSuite(const Suite& suite,
                                                     int threads,
                                                     FiguresOf figures) {
  std::vector<Inputs> inputs;
  for (size_t run = 0; run < suite.runs(); ++run) {
    const absl::StatusOr<ScenarioFile> scenario = RunOf(suite, run);
    if (!scenario.ok()) return scenario.status();
    absl::StatusOr<Inputs> loaded = InputsOf(*scenario);
    if (!loaded.ok()) return loaded.status();
    inputs.push_back(*std::move(loaded));
  }
  std::vector<std::vector<Prediction>> of_run(suite.runs());
  InThreads(suite.runs(), threads, [&](size_t run) {
    of_run[run] = PredictRun(suite, run, inputs[run], figures);
  });
  std::vector<Prediction> predictions;
  for (std::vector<Prediction>& list : of_run) {
    predictions.insert(predictions.end(), list.begin(), list.end());
  }
  return predictions;
}

}  // namespace scenarios
