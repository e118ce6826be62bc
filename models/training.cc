#include "models/training.h"

#include "models/schedules/plan_check.h"
#include "models/schedules/vocabulary_plan.h"

namespace models {

Placement Split::placement() const {
  if (by_table()) return table_placement;
  const PipelineSchedule* known = FindSchedule(schedule);
  return known == nullptr ? Placement::kRing : known->placement;
}

Pipeline Split::PipelineOf(int64_t microbatches) const {
  return {.stages = pipeline,
          .chunks = virtual_stages * copies(),
          .microbatches = microbatches,
          .placement = placement()};
}

Plan Split::PlanOf(int64_t microbatches) const {
  if (by_table()) return schedule_table;
  if (vocabulary != VocabularySplit::kNone) {
    return PlanVocabulary(PipelineOf(microbatches),
                          vocabulary == VocabularySplit::kTwoBarriers ? 2 : 1);
  }
  return FindSchedule(schedule)->plan(PipelineOf(microbatches));
}

bool Split::Schedules(int64_t microbatches) const {
  const Pipeline of = PipelineOf(microbatches);
  return by_table() ? CheckPlan(schedule_table, of).ok()
                    : Accepts(*FindSchedule(schedule), of);
}

bool Split::asynchronous() const {
  return by_table() || vocabulary != VocabularySplit::kNone ||
         FindSchedule(schedule)->asynchronous;
}

StateBytes StateBytesOf(const TrainingSpec& training) {
  const bool full = training.precision == Precision::kFp32 ||
                    training.precision == Precision::kTf32;
  const OptimizerOptions& options = training.optimizer_options;
  StateBytes state{.weights = full ? 4 : 2,
                   .master = full ? 0 : options.master_bytes,
                   .gradients = full || training.fp32_gradients ? 4 : 2,
                   .optimizer = 0};
  switch (training.optimizer) {
    case Optimizer::kSgd:
      break;
    case Optimizer::kMomentum:
    case Optimizer::kLion:
    case Optimizer::kMuon:
      state.optimizer = options.first_moment_bytes;
      break;
    case Optimizer::kAdaGrad:
    case Optimizer::kRmsProp:
      state.optimizer = options.second_moment_bytes;
      break;
    case Optimizer::kAdam:
    case Optimizer::kAdamW:
    case Optimizer::kLamb:
      state.optimizer =
          options.first_moment_bytes + options.second_moment_bytes;
      break;
    case Optimizer::kAdam8bit:
      state.optimizer = 2;
      break;
    case Optimizer::kAdafactor:
      break;
  }
  return state;
}

absl::string_view NameOf(Precision precision) {
  constexpr absl::string_view kNames[] = {"FP32", "TF32", "FP16", "BF16",
                                          "FP8"};
  return kNames[static_cast<size_t>(precision)];
}

absl::string_view NameOf(Optimizer optimizer) {
  constexpr absl::string_view kNames[] = {"SGD",     "MOMENTUM", "ADAGRAD",
                                          "RMSPROP", "ADAM",     "ADAMW",
                                          "LAMB",    "ADAM_8BIT", "MUON",
                                          "ADAFACTOR", "LION"};
  return kNames[static_cast<size_t>(optimizer)];
}

absl::string_view NameOf(ContextKind kind) {
  constexpr absl::string_view kNames[] = {"P2P", "ALL_GATHER", "A2A", "A2A_P2P",
                                          "PYTORCH"};
  return kNames[static_cast<size_t>(kind)];
}

absl::string_view NameOf(Recompute recompute) {
  constexpr absl::string_view kNames[] = {"NONE", "SELECTIVE", "OPERATORS",
                                          "FULL", "MLA_UP_PROJECTION",
                                          "DOTS_EXCEPT_MLP"};
  return kNames[static_cast<size_t>(recompute)];
}

}  // namespace models
