#include "models/activation_memory.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "models/load_model.h"
#include "models/model_spec.h"
#include "models/rank_shape.h"
#include "models/training.h"
#include "models/training_graph.h"

namespace models {
namespace {

struct Case {
  int64_t tensor;
  bool sequence;
  Recompute recompute;
};

// The kernels the formulas assume: scores in memory, dropout everywhere.
TrainingSpec AsInThePaper(const Case& c) {
  TrainingSpec training;
  training.micro_batch = training.global_batch = 2;
  training.sequence_length = 256;
  training.kernels.fused_attention = false;
  training.kernels.dropout = 0.1;
  training.split.tensor = c.tensor;
  training.split.sequence = c.sequence;
  training.recompute = c.recompute;
  return training;
}

// Table 2 of Korthikanti et al. 2022: six ways to train, one formula each.
TEST(ActivationMemory, OfTheGraphIsKorthikantisToTheByte) {
  const ModelSpec model = *LoadModel("gpt2-medium");  // h = 1024, a = 16
  const Case cases[] = {
      {1, false, Recompute::kNone},     {8, false, Recompute::kNone},
      {8, true, Recompute::kNone},      {8, false, Recompute::kSelective},
      {8, true, Recompute::kSelective}, {8, false, Recompute::kFull},
  };
  for (const Case& c : cases) {
    const TrainingSpec training = AsInThePaper(c);
    const OpGraph graph =
        BuildChunk(model, training, ChunksOf(model, training.split)[0][0]);
    const ActivationFormula formula{.sequence = 256,
                                    .batch = 2,
                                    .hidden = 1024,
                                    .heads = 16,
                                    .tensor = c.tensor,
                                    .sequence_parallel = c.sequence,
                                    .recompute = c.recompute};
    // A layer between others: its input is its neighbour's output.
    EXPECT_EQ(KeptBytes(graph, 7), BytesPerLayer(formula))
        << "tensor " << c.tensor << ", sequence " << c.sequence
        << ", recompute " << NameOf(c.recompute);
  }
}

TEST(ActivationMemory, FollowsTheFormulasByHand) {
  // s = 2048, b = 4, h = 6144, a = 64: sbh = 50,331,648; 5·a·s²·b = 5.37e9.
  ActivationFormula f{
      .sequence = 2048, .batch = 4, .hidden = 6144, .heads = 64};
  EXPECT_EQ(BytesPerLayer(f).count(), 34 * 50'331'648LL + 5'368'709'120);
  f.tensor = 8;
  EXPECT_EQ(BytesPerLayer(f).count(), 13 * 50'331'648LL + 671'088'640);
  f.sequence_parallel = true;
  EXPECT_EQ(BytesPerLayer(f).count(), 34 * 6'291'456LL + 671'088'640);
  f.recompute = Recompute::kSelective;
  EXPECT_EQ(BytesPerLayer(f).count(), 34 * 6'291'456LL);
  f.recompute = Recompute::kFull;
  EXPECT_EQ(BytesPerLayer(f).count(), 2 * 50'331'648LL);
}

}  // namespace
}  // namespace models
