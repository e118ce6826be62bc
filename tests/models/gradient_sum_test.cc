// Weight gradients summed over microbatches by their product or by a kernel of
// their own.
#include <gtest/gtest.h>

#include "models/training_graph.h"

namespace models {
namespace {

// Kernels called "sum gradient" in a chunk of one layer of GPT-2's shape, and
// the bytes that they move.
struct Sums {
  int count = 0;
  sim::Bytes bytes;
};

Sums SumsOf(const TrainingSpec& training) {
  ModelSpec model;
  model.layers = 1;
  model.hidden = 768;
  model.heads = model.kv_heads = 12;
  model.head_dim = 64;
  model.ffn_hidden = 3072;
  model.vocab = 50304;
  model.max_positions = 1024;
  Sums sums;
  for (const Op& op :
       BuildChunk(model, training, ChunksOf(model, training.split)[0][0]).ops) {
    if (op.name != "sum gradient") continue;
    ++sums.count;
    const Work work = WorkOf(*op.kernel());
    sums.bytes = sums.bytes + work.read + work.written;
  }
  return sums;
}

TrainingSpec TwoMicrobatches() {
  TrainingSpec training;
  training.sequence_length = 1024;
  training.global_batch = 2;
  training.kernels.fused_gradient_sum = false;
  return training;
}

TEST(GradientSum, ReadsThe16BitProductAndReadsAndWritesTheFp32Sum) {
  // Layer: qkv 768 x 2304, out 768 x 768, up and down 768 x 3072; LM head
  // 768 x 50304: 12 x 768^2 + 768 x 50304 = 45,711,360 parameters, 2 + 4 + 4
  // bytes each.
  const Sums sums = SumsOf(TwoMicrobatches());
  EXPECT_EQ(sums.count, 5);
  EXPECT_EQ(sums.bytes, sim::Bytes(457'113'600));
}

TEST(GradientSum, IsPartOfTheProductWhenFused) {
  TrainingSpec training = TwoMicrobatches();
  training.kernels.fused_gradient_sum = true;
  EXPECT_EQ(SumsOf(training).count, 0);
}

TEST(GradientSum, NeedsNoKernelWithOneMicrobatchOrShardedGradients) {
  TrainingSpec training = TwoMicrobatches();
  training.global_batch = 1;
  EXPECT_EQ(SumsOf(training).count, 0);
  training = TwoMicrobatches();
  training.global_batch = 4;
  training.split = {.data = 2, .zero = 3};
  EXPECT_EQ(SumsOf(training).count, 0);
}

}  // namespace
}  // namespace models
