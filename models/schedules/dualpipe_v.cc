// DualPipe cut in half: one copy of the model lies as a V, two chunks a stage,
// and what the other direction's ranks did is done by the chunk that data comes
// back through. Needs 2·p microbatches; holds 2·p + 1 half-size chunks. Qi, Sea
// AI Lab 2025, "DualPipe could be better without the Dual"; DeepSeek-AI's
// DualPipe repository, dualpipev.py.
#include "models/schedules/dualpipe_phases.h"

namespace models {
namespace {

std::vector<Pass> StagePasses(const Pipeline& pipeline, int64_t stage) {
  return DualPipePasses({.ranks = pipeline.stages,
                         .rank = stage,
                         .microbatches = pipeline.microbatches});
}

}  // namespace

Plan PlanDualPipeV(const Pipeline& pipeline) {
  return ForEachStage(pipeline, StagePasses);
}

int64_t HeldByDualPipeV(const Pipeline& pipeline, int64_t) {
  return 2 * pipeline.stages + 1;
}

}  // namespace models
