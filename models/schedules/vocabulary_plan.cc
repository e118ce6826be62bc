#include "models/schedules/vocabulary_plan.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace models {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
// Units of time; kMeeting until all stages know what the last of them made.
constexpr int64_t kForward = 10, kBackward = 20, kVocabulary = 3, kMeeting = 2;

class Scheduler {
 public:
  Scheduler(const Pipeline& pipeline, int64_t barriers)
      : pipeline_(pipeline),
        barriers_(barriers),
        stages_(static_cast<size_t>(pipeline.stages)),
        inputs_(static_cast<size_t>(pipeline.stages * pipeline.microbatches),
                kNever),
        gradients_(inputs_),
        met_(2, std::vector<Meeting>(
                    static_cast<size_t>(pipeline.microbatches))) {
    for (int64_t mb = 0; mb < pipeline.microbatches; ++mb) {
      inputs_[At(0, mb)] = 0;
    }
  }

  Plan Run() && {
    const int64_t passes = 4 * pipeline_.stages * pipeline_.microbatches;
    for (int64_t done = 0; done < passes; ++now_) {
      for (int64_t stage = 0; stage < pipeline_.stages; ++stage) {
        Stage& s = stages_[static_cast<size_t>(stage)];
        if (s.free > now_) continue;
        if (Vocabulary(s) || Forward(stage, s) || Backward(stage, s)) ++done;
      }
    }
    Plan plan;
    for (Stage& stage : stages_) plan.push_back(std::move(stage.passes));
    return plan;
  }

 private:
  struct Stage {
    std::vector<Pass> passes;
    int64_t free = 0;
    int64_t forward = 0, backward = 0, vocabulary = 0;  // run so far
  };
  // How many stages ran S or T of a microbatch, and when the last was done.
  struct Meeting {
    int64_t stages = 0, done = 0;
  };

  size_t At(int64_t stage, int64_t microbatch) const {
    return static_cast<size_t>(stage * pipeline_.microbatches + microbatch);
  }
  bool Met(int64_t pass, int64_t microbatch) const {
    const Meeting& meeting = met_[static_cast<size_t>(pass)]
                                 [static_cast<size_t>(microbatch)];
    return meeting.stages == pipeline_.stages &&
           meeting.done + kMeeting <= now_;
  }

  void Run(Stage& stage, PassKind kind, int64_t chunk, int64_t microbatch,
           int64_t length) {
    stage.passes.push_back(
        {.kind = kind, .chunk = chunk, .microbatch = microbatch});
    stage.free = now_ + length;
  }

  // S0, then S1 T0, S2 T1, …, and the last T: their numbers.
  int64_t NumberOfT(int64_t microbatch) const {
    return std::min(2 * microbatch + 2, 2 * pipeline_.microbatches - 1);
  }

  bool Vocabulary(Stage& stage) {
    const int64_t number = stage.vocabulary;
    if (number == 2 * pipeline_.microbatches) return false;
    const bool last = number + 1 == 2 * pipeline_.microbatches;
    const bool forward = number == 0 || (number % 2 == 1 && !last);
    const int64_t microbatch = forward ? (number + 1) / 2
                               : last  ? pipeline_.microbatches - 1
                                       : number / 2 - 1;
    if (forward ? !Sent(microbatch) : !Met(0, microbatch)) return false;
    Run(stage, forward ? PassKind::kForward : PassKind::kBackward,
        pipeline_.chunks, microbatch, kVocabulary);
    Meeting& meeting = met_[forward ? 0 : 1][static_cast<size_t>(microbatch)];
    ++meeting.stages;
    meeting.done = std::max(meeting.done, stage.free);
    ++stage.vocabulary;
    return true;
  }

  // Whether the last stage's output is there.
  bool Sent(int64_t microbatch) const {
    const Stage& last = stages_.back();
    return last.forward > microbatch + 1 ||
           (last.forward == microbatch + 1 && sent_ + kMeeting <= now_);
  }

  bool Backward(int64_t number, Stage& stage) {
    const int64_t microbatch = stage.backward;
    if (microbatch == pipeline_.microbatches) return false;
    const bool last = number + 1 == pipeline_.stages;
    const bool ready =
        last ? stage.vocabulary > NumberOfT(microbatch) &&
                   Met(barriers_ - 1, microbatch)
             : gradients_[At(number, microbatch)] <= now_;
    if (!ready) return false;
    Run(stage, PassKind::kBackward, 0, microbatch, kBackward);
    if (number > 0) gradients_[At(number - 1, microbatch)] = stage.free;
    ++stage.backward;
    return true;
  }

  bool Forward(int64_t number, Stage& stage) {
    const int64_t microbatch = stage.forward;
    if (microbatch == pipeline_.microbatches ||
        inputs_[At(number, microbatch)] > now_ ||
        stage.forward - stage.backward >=
            pipeline_.stages - number + barriers_) {
      return false;
    }
    Run(stage, PassKind::kForward, 0, microbatch, kForward);
    if (number + 1 < pipeline_.stages) {
      inputs_[At(number + 1, microbatch)] = stage.free;
    } else {
      sent_ = stage.free;
    }
    ++stage.forward;
    return true;
  }

  const Pipeline& pipeline_;
  int64_t barriers_;
  int64_t now_ = 0;
  int64_t sent_ = kNever - kMeeting;  // when the last stage's newest output is there
  std::vector<Stage> stages_;
  // When a microbatch's data or gradient is there, by stage.
  std::vector<int64_t> inputs_, gradients_;
  std::vector<std::vector<Meeting>> met_;  // of S, of T
};

}  // namespace

Plan PlanVocabulary(const Pipeline& pipeline, int64_t barriers) {
  return Scheduler(pipeline, barriers).Run();
}

}  // namespace models
