#include "models/optimizer_traffic.h"

#include <gtest/gtest.h>

#include "models/load_model.h"
#include "models/training_graph.h"

namespace models {
namespace {

TEST(OptimizerState, OfLlama3With8BOnOneGpu) {
  const ModelSpec model = *LoadModel("llama3-8b");
  EXPECT_EQ(WholeStateBytes(model, Optimizer::kAdamW),
            sim::Bytes(8 * 8'030'261'248));
  EXPECT_EQ(WholeStateBytes(model, Optimizer::kLion),
            sim::Bytes(4 * 8'030'261'248));
  // Momentum of everything, and second moments of what is not a matrix of the
  // 32 layers: 8,030,261,248 - 32 x 218,103,808 = 1,050,939,392.
  EXPECT_EQ(WholeStateBytes(model, Optimizer::kMuon),
            sim::Bytes(4 * (8'030'261'248 + 1'050'939'392)));
  // A layer: rows and columns of q and out 2 x 8192, k and v 2 x 5120, up, gate
  // and down 3 x 18,432, two norms of 4096: 90,112 words. Tables 2 x 132,352, a
  // norm.
  EXPECT_EQ(WholeStateBytes(model, Optimizer::kAdafactor),
            sim::Bytes(4 * (32 * 90'112 + 2 * 132'352 + 4096)));
}

TEST(OptimizerState, OfDeepSeekV3IsTwoMomentsInBf16) {
  TrainingSpec training;
  training.optimizer_options = {.first_moment_bytes = 2,
                                .second_moment_bytes = 2};
  const StateBytes state = StateBytesOf(training);
  EXPECT_EQ(state.optimizer, 4);
  EXPECT_EQ(state.master, 4);
  // Master weights of two bytes: 2 + 2 + 4 + 4 a parameter instead of 18.
  training.optimizer_options.master_bytes = 2;
  const StateBytes small = StateBytesOf(training);
  EXPECT_EQ(small.weights + small.master + small.gradients + small.optimizer,
            12);
}

TEST(OptimizerTraffic, OfAdamWIsOnePassOverItsState) {
  const UpdateTraffic t = TrafficOf(TrainingSpec{}, Optimizer::kAdamW);
  EXPECT_EQ(t.read, 4 + 4 + 8);
  EXPECT_EQ(t.written, 4 + 8 + 2);
  const UpdateTraffic lion = TrafficOf(TrainingSpec{}, Optimizer::kLion);
  EXPECT_EQ(lion.read, 4 + 4 + 4);
  EXPECT_EQ(lion.written, 4 + 4 + 2);
}

TEST(OptimizerTraffic, SmallStatesAreUpdatedAsFp32Copies) {
  TrainingSpec training;
  training.optimizer_options = {.first_moment_bytes = 2,
                                .second_moment_bytes = 1};
  const StateCopies copies = StateCopiesOf(training, Optimizer::kAdamW);
  EXPECT_EQ(copies.unscale.read, 2 + 1);
  EXPECT_EQ(copies.unscale.written, 4 + 4);
  EXPECT_EQ(copies.scale.read, 4 + 8);
  EXPECT_EQ(copies.scale.written, 2 + 1);
  EXPECT_EQ(copies.held, 8);
  EXPECT_EQ(TrafficOf(training, Optimizer::kAdamW).read, 16);
  EXPECT_EQ(StateCopiesOf(TrainingSpec{}, Optimizer::kAdamW).held, 0);
}

TEST(OptimizerTraffic, AShareOfAdafactorsRowsNeedsSumsOverColumns) {
  ModelSpec model = *LoadModel("llama3-8b");
  TrainingSpec training;
  training.optimizer = Optimizer::kAdafactor;
  training.split.data = 8;
  training.split.zero = 3;
  const OpGraph step =
      BuildStep(model, training, ChunksOf(model, training.split)[0]);
  sim::Bytes sums(0);
  for (const Op& op : step.ops) {
    if (op.name == "sum column statistics") sums += op.collective()->bytes;
  }
  // Columns: 32 x (6 x 4096 + 14,336) of layers, 2 x 4096 of tables.
  EXPECT_EQ(sums, sim::Bytes(4 * (32 * 38'912 + 8192)));
}

}  // namespace
}  // namespace models
