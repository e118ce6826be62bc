// 1F1B with its backward passes split: stage s runs its weight gradients s
// microbatches late, so that gradients reach the first stage sooner and weight
// gradients fill the end. Holds p microbatches on every stage, as 1F1B does on
// its first. Bubble (p-1)·(F+B-W): a third of 1F1B's where F = B = W. Qi et al.
// 2023, arXiv:2401.10241, section 2.1.
#include <algorithm>

#include "models/schedules/schedule.h"

namespace models {
namespace {

std::vector<Pass> StagePasses(const Pipeline& pipeline, int64_t stage) {
  const int64_t count = pipeline.microbatches;
  const int64_t warm_up = std::min(pipeline.stages - 1 - stage, count);
  std::vector<Pass> passes;
  for (int64_t mb = 0; mb < warm_up; ++mb) passes.push_back({.microbatch = mb});
  const auto weights = [&](int64_t mb) {
    passes.push_back({.kind = PassKind::kWeightGradient, .microbatch = mb});
  };
  for (int64_t mb = 0; mb < count; ++mb) {
    if (warm_up + mb < count) passes.push_back({.microbatch = warm_up + mb});
    passes.push_back({.kind = PassKind::kInputGradient, .microbatch = mb});
    if (mb >= stage) weights(mb - stage);
  }
  for (int64_t mb = std::max<int64_t>(0, count - stage); mb < count; ++mb) {
    weights(mb);
  }
  return passes;
}

}  // namespace

Plan PlanZbH1(const Pipeline& pipeline) {
  return ForEachStage(pipeline, StagePasses);
}

int64_t HeldByZbH1(const Pipeline& pipeline, int64_t) {
  return std::min(pipeline.stages, pipeline.microbatches);
}

}  // namespace models
