// p-1-stage forward passes to warm up, then F B F B …, then the backward passes
// that are left. Bubble as GPipe's; holds at most p - stage microbatches.
#include <algorithm>

#include "models/schedules/schedule.h"

namespace models {

std::vector<Pass> PlanOneForwardOneBackward(const PipelinePlace& place) {
  const int64_t warm_up =
      std::min(place.stages - 1 - place.stage, place.microbatches);
  std::vector<Pass> passes;
  int64_t back = 0;
  for (int64_t mb = 0; mb < place.microbatches; ++mb) {
    passes.push_back({.microbatch = mb});
    if (mb >= warm_up)
      passes.push_back({.backward = true, .microbatch = back++});
  }
  while (back < place.microbatches) {
    passes.push_back({.backward = true, .microbatch = back++});
  }
  return passes;
}

int64_t HeldByOneForwardOneBackward(const PipelinePlace& place) {
  return std::min(place.stages - place.stage, place.microbatches);
}

}  // namespace models
