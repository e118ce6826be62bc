// Whether a plan can run: every stage runs every pass of its chunks once, in an
// order that waits for no pass behind it.
//
//   CheckPlan(plan, {.stages = 2, .microbatches = 4});
//   // "stage 1, position 3: B0.0 before its F0.0"
//
// A pass is written as kind, microbatch and chunk: "F3.0", "BW3.0" (a whole
// backward pass), "B3.0" and "W3.0" (one split).
#ifndef MODELS_SCHEDULES_PLAN_CHECK_H_
#define MODELS_SCHEDULES_PLAN_CHECK_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/schedules/schedule.h"

namespace models {

std::string TextOf(const Pass& pass);
// "F0.0 F1.0 B0.0 W0.0"; "F0.0+BW1.0" is a pair that overlaps.
std::string TextOf(const std::vector<Pass>& passes);
// The same read back; names the position of what is none.
absl::StatusOr<std::vector<Pass>> ParsePasses(absl::string_view text);

// Fails with the stage, the position and what is missing, or with the passes
// that wait for each other in a ring.
absl::Status CheckPlan(const Plan& plan, const Pipeline& pipeline);

}  // namespace models

#endif  // MODELS_SCHEDULES_PLAN_CHECK_H_
