// FP16's loss scale: a pass over the gradients, and the host reads whether one
// of them overflowed.
#include <gtest/gtest.h>

#include "models/load_model.h"
#include "models/training_graph.h"

namespace models {
namespace {

OpGraph StepOf(Precision precision) {
  const ModelSpec model = *LoadModel("gpt2");
  TrainingSpec training;
  training.precision = precision;
  training.split.tensor = 4;
  return BuildStep(model, training, ChunksOf(model, training.split)[0]);
}

int64_t Count(const OpGraph& graph, absl::string_view name) {
  int64_t count = 0;
  for (const Op& op : graph.ops) count += op.name == name ? 1 : 0;
  return count;
}

TEST(LossScaling, IsOfFp16Alone) {
  EXPECT_EQ(Count(StepOf(Precision::kFp16), "unscale gradients"), 1);
  EXPECT_EQ(Count(StepOf(Precision::kBf16), "unscale gradients"), 0);
}

TEST(LossScaling, ReadsAndWritesEveryGradientAndTellsTheHost) {
  const ModelSpec model = *LoadModel("gpt2");
  TrainingSpec training;
  training.split.tensor = 4;
  const int64_t parameters =
      RankShape(model, training)
          .ParametersOf(ChunksOf(model, training.split)[0][0])
          .total();
  const OpGraph step = StepOf(Precision::kFp16);
  for (const Op& op : step.ops) {
    if (op.name == "unscale gradients") {
      // FP32: four bytes each way.
      EXPECT_EQ(WorkOf(*op.kernel()).read, sim::Bytes(4 * parameters));
      EXPECT_EQ(WorkOf(*op.kernel()).written, sim::Bytes(4 * parameters));
    }
    if (op.name == "read overflow") {
      EXPECT_TRUE(op.host_sync);
    }
  }
  // Over the four ranks that hold other gradients, as the norm is.
  EXPECT_EQ(Count(step, "overflow all-reduce"), 1);
  EXPECT_EQ(Count(step, "sum gradient norm"), 1);
}

}  // namespace
}  // namespace models
