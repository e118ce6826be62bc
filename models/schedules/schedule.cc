#include "models/schedules/schedule.h"

namespace models {
namespace {

using Takes = PipelineSchedule::Takes;

constexpr PipelineSchedule kSchedules[] = {
    {.name = "gpipe",
     .summary =
         "all forward passes, then all backward passes (Huang et al. 2019)",
     .plan = PlanGPipe,
     .held = HeldByGPipe},
    {.name = "1f1b",
     .summary = "one forward, one backward in steady state (PipeDream-flush, "
                "Narayanan et al. 2021)",
     .plan = PlanOneForwardOneBackward,
     .held = HeldByOneForwardOneBackward},
    {.name = "interleaved-1f1b",
     .summary =
         "1f1b over several model chunks a stage (Narayanan et al. 2021, 2.2)",
     .takes = Takes::kSeveral,
     .whole_groups = true,
     .plan = PlanInterleaved,
     .held = HeldByInterleaved},
    {.name = "breadth-first",
     .summary = "all microbatches through one chunk, then through the next "
                "(Lamy-Poirier 2022)",
     .takes = Takes::kSeveral,
     .plan = PlanBreadthFirst,
     .held = HeldByBreadthFirst},
    {.name = "zb-h1",
     .summary = "1f1b with late weight gradients in its bubbles, in the same "
                "memory (Qi et al. 2023)",
     .asynchronous = true,
     .plan = PlanZbH1,
     .held = HeldByZbH1},
    {.name = "zb-2p",
     .summary = "zero bubble: weight gradients fill it, twice the memory of "
                "1f1b (Qi et al. 2023)",
     .asynchronous = true,
     .plan = PlanZb2p,
     .held = HeldByZb2p},
    {.name = "zb-v",
     .summary = "zero bubble on two chunks a stage that lie as a V, the memory "
                "of 1f1b on all (Qi et al. 2024)",
     .takes = Takes::kTwo,
     .placement = Placement::kVee,
     .asynchronous = true,
     .plan = PlanZbV,
     .held = HeldByZbV},
    {.name = "dualpipe",
     .summary = "data flows both ways through two copies; forward overlaps "
                "backward (DeepSeek-AI 2024)",
     .least_microbatches = 2,
     .placement = Placement::kBidirectional,
     .asynchronous = true,
     .plan = PlanDualPipe,
     .held = HeldByDualPipe},
    {.name = "dualpipe-v",
     .summary = "dualpipe on one copy that lies as a V (Sea AI Lab 2025)",
     .takes = Takes::kTwo,
     .least_microbatches = 2,
     .placement = Placement::kVee,
     .asynchronous = true,
     .plan = PlanDualPipeV,
     .held = HeldByDualPipeV},
};

}  // namespace

std::span<const PipelineSchedule> PipelineSchedules() { return kSchedules; }

const PipelineSchedule* FindSchedule(absl::string_view name) {
  for (const PipelineSchedule& schedule : kSchedules) {
    if (schedule.name == name) return &schedule;
  }
  return nullptr;
}

bool Accepts(const PipelineSchedule& schedule, const Pipeline& pipeline) {
  const int64_t copies = CopiesOf(schedule.placement);
  if (pipeline.stages % copies != 0 || pipeline.microbatches % copies != 0) {
    return false;
  }
  if (schedule.whole_groups && pipeline.microbatches % pipeline.stages != 0) {
    return false;
  }
  return pipeline.microbatches >=
         schedule.least_microbatches * pipeline.stages;
}

}  // namespace models
