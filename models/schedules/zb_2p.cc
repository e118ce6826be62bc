// Zero bubble in twice the memory of 1F1B: a stage may hold 2·p microbatches
// (ZB-2p of Qi et al. 2023, arXiv:2401.10241, section 3; ZB-H2 by hand needs
// 2·p-1). From its first pass to its last a stage never waits where F = B = W
// and there are 2·p microbatches; stages start and end one after another, which
// takes the optimizer's post-validation (Overlap::post_validation).
#include <algorithm>

#include "models/schedules/list_schedule.h"

namespace models {

Plan PlanZb2p(const Pipeline& pipeline) {
  return ListSchedule(pipeline, {.held = 2 * pipeline.stages});
}

int64_t HeldByZb2p(const Pipeline& pipeline, int64_t) {
  return std::min(2 * pipeline.stages, pipeline.microbatches);
}

}  // namespace models
