// Plans made by simulation: every pass takes one unit of time, messages none,
// and each stage runs what it can as soon as it can.
//
//   ListSchedule({.stages = 4, .microbatches = 8}, {.held = 8});  // zb-2p
//
// A stage that is free takes an input gradient, for which the stages before it
// wait; else a forward pass, if it may hold another microbatch; else a weight
// gradient, for which nobody waits. So weight gradients fill what would be
// bubbles (the heuristic of Qi et al. 2023, arXiv:2401.10241, section 3.1).
#ifndef MODELS_SCHEDULES_LIST_SCHEDULE_H_
#define MODELS_SCHEDULES_LIST_SCHEDULE_H_

#include <cstdint>

#include "models/schedules/schedule.h"

namespace models {

struct ListRules {
  // Most microbatch-chunks a stage holds, from their forward pass to their
  // weight gradient; >= chunks.
  int64_t held = 1;
  // After an input gradient a forward pass comes first, if one can run.
  bool alternate = false;
};

// REQUIRES: one chunk a stage, or two that lie as a V. Never deadlocks: the last
// place is kept for a chunk that the returning data needs.
Plan ListSchedule(const Pipeline& pipeline, const ListRules& rules);

}  // namespace models

#endif  // MODELS_SCHEDULES_LIST_SCHEDULE_H_
