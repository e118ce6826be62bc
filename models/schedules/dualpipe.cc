// DeepSeek-V3's DualPipe: two copies of the model, one's data flowing down the
// stages and the other's up, so that every stage has a forward pass of one
// direction to overlap with a backward pass of the other. Needs an even number
// of stages and 2·p microbatches, half of them in each direction. Holds p + 1
// microbatches. DeepSeek-AI 2024, arXiv:2412.19437, section 3.2.1.
#include <algorithm>

#include "models/schedules/dualpipe_phases.h"

namespace models {
namespace {

std::vector<Pass> StagePasses(const Pipeline& pipeline, int64_t stage) {
  DualPipeRank rank{.ranks = pipeline.stages / 2,
                    .rank = std::min(stage, pipeline.stages - 1 - stage),
                    .microbatches = MicrobatchesOf(pipeline)};
  for (const int64_t chunk : {0, 1}) {
    rank.first[chunk] =
        FirstMicrobatch(pipeline, {.stage = stage, .chunk = chunk});
  }
  return DualPipePasses(rank);
}

}  // namespace

Plan PlanDualPipe(const Pipeline& pipeline) {
  return ForEachStage(pipeline, StagePasses);
}

int64_t HeldByDualPipe(const Pipeline& pipeline, int64_t) {
  return pipeline.stages + 1;
}

}  // namespace models
