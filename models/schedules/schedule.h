// Pipeline schedules: in which order each stage runs the passes of its chunks.
//
//   FindSchedule("1f1b")->plan({.stages = 4, .microbatches = 8})[0];
//   // F0 F1 F2 F3 B0 F4 B1 F5 … : 3 warm-up passes, then one forward, one back
//
// A backward pass may be whole, or split into the part that makes the gradient
// of the chunk's input, which the stage before waits for, and the part that
// makes the gradients of its weights, for which nobody waits (Qi et al. 2023,
// arXiv:2401.10241). Which stage holds which chunk is the schedule's, too.
//
// To add one: write schedules/<name>.cc, declare its plan here, and give it a
// row in schedules/schedule.cc. The tests iterate the table: every microbatch
// passes each chunk once each way, forward before backward before weights, no
// order deadlocks, and no more activations are held than `held` says.
#ifndef MODELS_SCHEDULES_SCHEDULE_H_
#define MODELS_SCHEDULES_SCHEDULE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/strings/string_view.h"
#include "models/schedules/placement.h"

namespace models {

enum class PassKind : uint8_t {
  kForward,         // F
  kBackward,        // BW: input and weight gradients together
  kInputGradient,   // B
  kWeightGradient,  // W, after the B of the same chunk and microbatch
};

struct Pass {
  PassKind kind = PassKind::kForward;
  int64_t chunk = 0;  // of this rank
  int64_t microbatch = 0;
  // Runs together with the next one, so that each hides the other's
  // communication.
  bool with_next = false;
  friend bool operator==(const Pass&, const Pass&) = default;
};

// Whether the pass sends the gradient of its input, and makes that of weights.
inline bool GivesInputGradient(PassKind kind) {
  return kind == PassKind::kBackward || kind == PassKind::kInputGradient;
}
inline bool GivesWeightGradient(PassKind kind) {
  return kind == PassKind::kBackward || kind == PassKind::kWeightGradient;
}

// The passes of each stage, in order.
using Plan = std::vector<std::vector<Pass>>;

struct PipelineSchedule {
  absl::string_view name;     // as scenario files spell it
  absl::string_view summary;  // one line for `orrery list schedules`
  // The virtual_stages it takes: one, exactly two, or two and more.
  enum class Takes : uint8_t { kOne, kTwo, kSeveral } takes = Takes::kOne;
  // Microbatches come in whole groups of `stages`.
  bool whole_groups = false;
  int64_t least_microbatches = 0;  // for each stage
  Placement placement = Placement::kRing;
  // Messages travel while the stage goes on, whatever Overlap::pipeline says:
  // its order would deadlock if a stage stood still for each.
  bool asynchronous = false;
  Plan (*plan)(const Pipeline& pipeline) = nullptr;
  // Most microbatch-chunks whose activations a stage holds at once.
  int64_t (*held)(const Pipeline& pipeline, int64_t stage) = nullptr;
};

std::span<const PipelineSchedule> PipelineSchedules();
// nullptr if there is none of that name.
const PipelineSchedule* FindSchedule(absl::string_view name);

// Whether the schedule plans so many microbatches on so many stages.
// `pipeline.chunks` is not asked for.
bool Accepts(const PipelineSchedule& schedule, const Pipeline& pipeline);

// Passes of one stage after another, each by `of_stage(pipeline, stage)`.
template <class OfStage>
Plan ForEachStage(const Pipeline& pipeline, OfStage of_stage) {
  Plan plan;
  for (int64_t stage = 0; stage < pipeline.stages; ++stage) {
    plan.push_back(of_stage(pipeline, stage));
  }
  return plan;
}

Plan PlanGPipe(const Pipeline& pipeline);
int64_t HeldByGPipe(const Pipeline& pipeline, int64_t stage);
Plan PlanOneForwardOneBackward(const Pipeline& pipeline);
int64_t HeldByOneForwardOneBackward(const Pipeline& pipeline, int64_t stage);
Plan PlanInterleaved(const Pipeline& pipeline);
int64_t HeldByInterleaved(const Pipeline& pipeline, int64_t stage);
Plan PlanBreadthFirst(const Pipeline& pipeline);
int64_t HeldByBreadthFirst(const Pipeline& pipeline, int64_t stage);
Plan PlanZbH1(const Pipeline& pipeline);
int64_t HeldByZbH1(const Pipeline& pipeline, int64_t stage);
Plan PlanZb2p(const Pipeline& pipeline);
int64_t HeldByZb2p(const Pipeline& pipeline, int64_t stage);
Plan PlanZbV(const Pipeline& pipeline);
int64_t HeldByZbV(const Pipeline& pipeline, int64_t stage);
Plan PlanDualPipe(const Pipeline& pipeline);
int64_t HeldByDualPipe(const Pipeline& pipeline, int64_t stage);
Plan PlanDualPipeV(const Pipeline& pipeline);
int64_t HeldByDualPipeV(const Pipeline& pipeline, int64_t stage);

}  // namespace models

#endif  // MODELS_SCHEDULES_SCHEDULE_H_
