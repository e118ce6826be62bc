// Two chunks a stage that lie as a V, so that the first stage also has the last
// layers: a microbatch's backward pass starts where its forward pass did, and
// every stage holds as much as any other, 2·p half-size chunks, what 1F1B's
// first stage holds. Qi et al. 2023 (arXiv:2401.10241), section 6, and Qi et
// al. 2024 (arXiv:2405.15362). Bubble p-1 of 6·m half-size passes where F = B =
// W.
#include <algorithm>

#include "models/schedules/list_schedule.h"

namespace models {

Plan PlanZbV(const Pipeline& pipeline) {
  return ListSchedule(pipeline,
                      {.held = 2 * pipeline.stages, .alternate = true});
}

int64_t HeldByZbV(const Pipeline& pipeline, int64_t) {
  return 2 * std::min(pipeline.stages, pipeline.microbatches);
}

}  // namespace models
