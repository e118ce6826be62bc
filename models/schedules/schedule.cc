#include "models/schedules/schedule.h"

namespace models {
namespace {

constexpr PipelineSchedule kSchedules[] = {
    {"gpipe",
     "all forward passes, then all backward passes (Huang et al. 2019)", false,
     PlanGPipe, HeldByGPipe},
    {"1f1b",
     "one forward, one backward in steady state (PipeDream-flush, Narayanan et "
     "al. 2021)",
     false, PlanOneForwardOneBackward, HeldByOneForwardOneBackward},
    {"interleaved-1f1b",
     "1f1b over several model chunks a stage (Narayanan et al. 2021, 2.2)",
     true, PlanInterleaved, HeldByInterleaved},
};

}  // namespace

std::span<const PipelineSchedule> PipelineSchedules() { return kSchedules; }

const PipelineSchedule* FindSchedule(absl::string_view name) {
  for (const PipelineSchedule& schedule : kSchedules) {
    if (schedule.name == name) return &schedule;
  }
  return nullptr;
}

}  // namespace models
