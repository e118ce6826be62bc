#include "models/schedules/list_schedule.h"

#include <limits>

namespace models {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

class Scheduler {
 public:
  Scheduler(const Pipeline& pipeline, const ListRules& rules)
      : pipeline_(pipeline),
        rules_(rules),
        parts_(PartsOf(pipeline)),
        inputs_(static_cast<size_t>(parts_ * pipeline.microbatches), kNever),
        gradients_(inputs_),
        stages_(static_cast<size_t>(pipeline.stages)) {
    for (int64_t mb = 0; mb < pipeline.microbatches; ++mb) inputs_[At(0, mb)] = 0;
    for (Stage& stage : stages_) {
      stage.forward.assign(static_cast<size_t>(pipeline.chunks), 0);
      stage.backward.assign(static_cast<size_t>(pipeline.chunks), 0);
    }
  }

  Plan Run() && {
    const int64_t passes = 3 * parts_ * pipeline_.microbatches;
    for (int64_t done = 0; done < passes; ++now_) {
      for (int64_t stage = 0; stage < pipeline_.stages; ++stage) {
        if (Step(stage)) ++done;
      }
    }
    Plan plan;
    for (Stage& stage : stages_) plan.push_back(std::move(stage.passes));
    return plan;
  }

 private:
  struct Stage {
    std::vector<Pass> passes;
    std::vector<int64_t> forward, backward;  // next microbatch of each chunk
    size_t weights = 0;                      // weight gradients made …
    std::vector<Pass> owed;                  // … of these
    int64_t held = 0;
  };

  size_t At(int64_t part, int64_t microbatch) const {
    return static_cast<size_t>(part * pipeline_.microbatches + microbatch);
  }
  int64_t PartOf(int64_t stage, int64_t chunk) const {
    return PartAt(pipeline_, {.stage = stage, .chunk = chunk});
  }

  // Runs one pass, if any can start.
  bool Step(int64_t number) {
    const Stage& stage = stages_[static_cast<size_t>(number)];
    const bool forward_first =
        rules_.alternate && !stage.passes.empty() &&
        stage.passes.back().kind == PassKind::kInputGradient;
    if (forward_first && Forward(number)) return true;
    return InputGradient(number) || Forward(number) || WeightGradient(number);
  }

  bool InputGradient(int64_t number) {
    Stage& stage = stages_[static_cast<size_t>(number)];
    for (int64_t c = 0; c < pipeline_.chunks; ++c) {
      int64_t& microbatch = stage.backward[static_cast<size_t>(c)];
      const int64_t part = PartOf(number, c);
      if (microbatch == pipeline_.microbatches ||
          gradients_[At(part, microbatch)] > now_) {
        continue;
      }
      stage.passes.push_back({.kind = PassKind::kInputGradient,
                              .chunk = c,
                              .microbatch = microbatch});
      stage.owed.push_back({.kind = PassKind::kWeightGradient,
                            .chunk = c,
                            .microbatch = microbatch});
      if (part > 0) gradients_[At(part - 1, microbatch)] = now_ + 1;
      ++microbatch;
      return true;
    }
    return false;
  }

  // The chunk whose data has come further goes first.
  bool Forward(int64_t number) {
    Stage& stage = stages_[static_cast<size_t>(number)];
    for (int64_t c = pipeline_.chunks - 1; c >= 0; --c) {
      int64_t& microbatch = stage.forward[static_cast<size_t>(c)];
      const int64_t part = PartOf(number, c);
      const int64_t kept = pipeline_.chunks - 1 - c;  // free for later chunks
      if (microbatch == pipeline_.microbatches ||
          inputs_[At(part, microbatch)] > now_ ||
          stage.held + kept >= rules_.held) {
        continue;
      }
      stage.passes.push_back({.chunk = c, .microbatch = microbatch});
      ++stage.held;
      const bool last = part + 1 == parts_;
      (last ? gradients_[At(part, microbatch)]
            : inputs_[At(part + 1, microbatch)]) = now_ + 1;
      ++microbatch;
      return true;
    }
    return false;
  }

  bool WeightGradient(int64_t number) {
    Stage& stage = stages_[static_cast<size_t>(number)];
    if (stage.weights == stage.owed.size()) return false;
    stage.passes.push_back(stage.owed[stage.weights++]);
    --stage.held;
    return true;
  }

  const Pipeline& pipeline_;
  const ListRules& rules_;
  int64_t parts_;
  int64_t now_ = 0;
  // When a microbatch's data or gradient is there, by part.
  std::vector<int64_t> inputs_, gradients_;
  std::vector<Stage> stages_;
};

}  // namespace

Plan ListSchedule(const Pipeline& pipeline, const ListRules& rules) {
  return Scheduler(pipeline, rules).Run();
}

}  // namespace models
