// F0 F1 … Fm-1 B0 B1 … Bm-1. Bubble (p-1)/(m+p-1); holds every microbatch.
#include "models/schedules/schedule.h"

namespace models {

Plan PlanGPipe(const Pipeline& pipeline) {
  std::vector<Pass> passes;
  for (const PassKind kind : {PassKind::kForward, PassKind::kBackward}) {
    for (int64_t mb = 0; mb < pipeline.microbatches; ++mb) {
      passes.push_back({.kind = kind, .microbatch = mb});
    }
  }
  return Plan(static_cast<size_t>(pipeline.stages), passes);
}

int64_t HeldByGPipe(const Pipeline& pipeline, int64_t) {
  return pipeline.microbatches;
}

}  // namespace models
