// p-1-stage forward passes to warm up, then F B F B …, then the backward passes
// that are left. Bubble as GPipe's; holds at most p - stage microbatches.
#include <algorithm>

#include "models/schedules/schedule.h"

namespace models {
namespace {

std::vector<Pass> StagePasses(const Pipeline& pipeline, int64_t stage) {
  const int64_t warm_up =
      std::min(pipeline.stages - 1 - stage, pipeline.microbatches);
  std::vector<Pass> passes;
  int64_t back = 0;
  for (int64_t mb = 0; mb < pipeline.microbatches; ++mb) {
    passes.push_back({.microbatch = mb});
    if (mb >= warm_up) {
      passes.push_back({.kind = PassKind::kBackward, .microbatch = back++});
    }
  }
  while (back < pipeline.microbatches) {
    passes.push_back({.kind = PassKind::kBackward, .microbatch = back++});
  }
  return passes;
}

}  // namespace

Plan PlanOneForwardOneBackward(const Pipeline& pipeline) {
  return ForEachStage(pipeline, StagePasses);
}

int64_t HeldByOneForwardOneBackward(const Pipeline& pipeline, int64_t stage) {
  return std::min(pipeline.stages - stage, pipeline.microbatches);
}

}  // namespace models
