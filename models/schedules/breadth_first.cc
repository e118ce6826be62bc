// Every microbatch passes a chunk before any passes the next one: F0 … Fm-1 of
// chunk 0, of chunk 1, …; then backward through the chunks the other way round.
// Bubble (p-1)/(v·m) of the ideal time, and a chunk's gradients are complete
// long before the step ends, so that their reduction hides; holds every
// microbatch. Lamy-Poirier 2022, arXiv:2211.05953.
#include "models/schedules/schedule.h"

namespace models {

Plan PlanBreadthFirst(const Pipeline& pipeline) {
  std::vector<Pass> passes;
  for (const PassKind kind : {PassKind::kForward, PassKind::kBackward}) {
    for (int64_t c = 0; c < pipeline.chunks; ++c) {
      const bool forward = kind == PassKind::kForward;
      for (int64_t mb = 0; mb < pipeline.microbatches; ++mb) {
        passes.push_back({.kind = kind,
                          .chunk = forward ? c : pipeline.chunks - 1 - c,
                          .microbatch = mb});
      }
    }
  }
  return Plan(static_cast<size_t>(pipeline.stages), passes);
}

int64_t HeldByBreadthFirst(const Pipeline& pipeline, int64_t) {
  return pipeline.chunks * pipeline.microbatches;
}

}  // namespace models
