// Microbatches go in groups of p: a stage runs a group through its first chunk,
// then the same group through its second, and so on; backward passes visit the
// chunks the other way round. (p-1-stage)·2 + (v-1)·p passes warm it up.
// Bubble (p-1)/(v·m) of the ideal time; Narayanan et al. 2021, section 2.2.
// A last group of fewer than p microbatches would deadlock, so there is none.
#include <algorithm>

#include "models/schedules/schedule.h"

namespace models {
namespace {

// All passes of one direction. REQUIRES: stages divides microbatches.
std::vector<Pass> Order(const Pipeline& pipeline, PassKind kind) {
  std::vector<Pass> passes;
  for (int64_t first = 0; first < pipeline.microbatches;
       first += pipeline.stages) {
    const int64_t end = first + pipeline.stages;
    for (int64_t c = 0; c < pipeline.chunks; ++c) {
      const bool forward = kind == PassKind::kForward;
      for (int64_t mb = first; mb < end; ++mb) {
        passes.push_back({.kind = kind,
                          .chunk = forward ? c : pipeline.chunks - 1 - c,
                          .microbatch = mb});
      }
    }
  }
  return passes;
}

int64_t WarmUp(const Pipeline& pipeline, int64_t stage) {
  return std::min((pipeline.stages - 1 - stage) * 2 +
                      (pipeline.chunks - 1) * pipeline.stages,
                  pipeline.chunks * pipeline.microbatches);
}

std::vector<Pass> StagePasses(const Pipeline& pipeline, int64_t stage) {
  const std::vector<Pass> forward = Order(pipeline, PassKind::kForward);
  const std::vector<Pass> backward = Order(pipeline, PassKind::kBackward);
  const auto warm_up = static_cast<size_t>(WarmUp(pipeline, stage));
  std::vector<Pass> passes;
  size_t back = 0;
  for (size_t k = 0; k < forward.size(); ++k) {
    passes.push_back(forward[k]);
    if (k >= warm_up) passes.push_back(backward[back++]);
  }
  passes.insert(passes.end(),
                backward.begin() + static_cast<std::ptrdiff_t>(back),
                backward.end());
  return passes;
}

}  // namespace

Plan PlanInterleaved(const Pipeline& pipeline) {
  return ForEachStage(pipeline, StagePasses);
}

int64_t HeldByInterleaved(const Pipeline& pipeline, int64_t stage) {
  return std::min(WarmUp(pipeline, stage) + 1,
                  pipeline.chunks * pipeline.microbatches);
}

}  // namespace models
