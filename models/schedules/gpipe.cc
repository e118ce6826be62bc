// F0 F1 … Fm-1 B0 B1 … Bm-1. Bubble (p-1)/(m+p-1); holds every microbatch.
#include "models/schedules/schedule.h"

namespace models {

std::vector<Pass> PlanGPipe(const PipelinePlace& place) {
  std::vector<Pass> passes;
  for (const bool backward : {false, true}) {
    for (int64_t mb = 0; mb < place.microbatches; ++mb) {
      passes.push_back({.backward = backward, .microbatch = mb});
    }
  }
  return passes;
}

int64_t HeldByGPipe(const PipelinePlace& place) { return place.microbatches; }

}  // namespace models
