// Pipeline schedules: in which order a stage runs the forward and backward
// passes of its chunks.
//
//   FindSchedule("1f1b")->plan({.stage = 0, .stages = 4, .microbatches = 8});
//   // F0 F1 F2 F3 B0 F4 B1 F5 … : 3 warm-up passes, then one forward, one back
//
// To add one: write schedules/<name>.cc, declare its plan here, and give it a
// row in schedules/schedule.cc. The tests iterate the table: every microbatch
// passes each chunk once each way, forward before backward, and no more
// activations are held than `held` says.
#ifndef MODELS_SCHEDULES_SCHEDULE_H_
#define MODELS_SCHEDULES_SCHEDULE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/strings/string_view.h"

namespace models {

struct Pass {
  bool backward = false;
  int64_t chunk = 0;  // virtual stage on this rank, 0 first in the data flow
  int64_t microbatch = 0;
  friend bool operator==(const Pass&, const Pass&) = default;
};

struct PipelinePlace {
  int64_t stage = 0;
  int64_t stages = 1;
  int64_t chunks = 1;  // virtual stages
  int64_t microbatches = 1;
};

struct PipelineSchedule {
  absl::string_view name;     // as scenario files spell it
  absl::string_view summary;  // one line for `orrery list schedules`
  // Takes chunks > 1, and microbatches in whole groups of `stages`; else
  // exactly one chunk and any number of microbatches.
  bool interleaved;
  std::vector<Pass> (*plan)(const PipelinePlace& place);
  // Most microbatch-chunks whose activations a stage holds at once.
  int64_t (*held)(const PipelinePlace& place);
};

std::span<const PipelineSchedule> PipelineSchedules();
// nullptr if there is none of that name.
const PipelineSchedule* FindSchedule(absl::string_view name);

std::vector<Pass> PlanGPipe(const PipelinePlace& place);
int64_t HeldByGPipe(const PipelinePlace& place);
std::vector<Pass> PlanOneForwardOneBackward(const PipelinePlace& place);
int64_t HeldByOneForwardOneBackward(const PipelinePlace& place);
std::vector<Pass> PlanInterleaved(const PipelinePlace& place);
int64_t HeldByInterleaved(const PipelinePlace& place);

}  // namespace models

#endif  // MODELS_SCHEDULES_SCHEDULE_H_
