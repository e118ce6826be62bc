// Backward passes whose weight gradients have a pass of their own.
#include <gtest/gtest.h>

#include <string>

#include "models/training_graph.h"
#include "tests/models/small_models.h"

namespace models {
namespace {

TrainingSpec FourMicrobatches(const Split& split) {
  TrainingSpec t;
  t.sequence_length = 2048;
  t.split = split;
  t.global_batch = 4 * split.data;
  t.pad_vocab_to = 1;
  return t;
}

OpGraph WholeOf(const TrainingSpec& training) {
  return BuildChunk(SmallLlama(), training,
                    {.layers = 4, .embedding = true, .head = true});
}

TEST(SplitBackward, NothingElseNeedsAWeightGradient) {
  std::vector<TrainingSpec> all;
  for (const Split& split :
       {Split{}, Split{.data = 4}, Split{.data = 4, .zero = 1},
        Split{.data = 4, .zero = 2}, Split{.data = 4, .zero = 3},
        Split{.data = 4, .zero = 3, .shard_group = 2},
        Split{.tensor = 2, .sequence = true, .data = 2},
        Split{.tensor = 2, .context = 2, .data = 2}}) {
    for (const Recompute recompute : {Recompute::kNone, Recompute::kFull}) {
      for (const bool fused : {false, true}) {
        all.push_back(FourMicrobatches(split));
        all.back().recompute = recompute;
        all.back().kernels.fused_gradient_sum = fused;
        all.back().kernels.reduce_copy_bytes = fused ? 0 : 8;
        all.back().overlap.tensor = split.sequence && fused;
        all.back().overlap.tensor_backward = fused;
        all.back().precision = fused ? Precision::kFp8 : Precision::kBf16;
      }
    }
  }
  for (const TrainingSpec& training : all) {
    const OpGraph graph = WholeOf(training);
    int found = 0;
    for (size_t row = 0; row < graph.ops.size(); ++row) {
      const auto id = sim::AsId<OpId>(row);
      if (graph.ops[id].weight_gradient) {
        ++found;
        EXPECT_EQ(graph.ops[id].phase, Phase::kBackward);
        continue;
      }
      for (const OpId need : graph.needs[id]) {
        EXPECT_FALSE(graph.ops[need].weight_gradient)
            << graph.ops[id].name << " needs " << graph.ops[need].name;
      }
    }
    EXPECT_GT(found, 4 * 4);
  }
}

TEST(SplitBackward, InputAndWeightGradientsMultiplyAsMuchEach) {
  const OpGraph graph = WholeOf(FourMicrobatches({}));
  double input = 0, weights = 0;
  for (const Op& op : graph.ops) {
    if (op.phase != Phase::kBackward || op.kernel() == nullptr) continue;
    if (!std::holds_alternative<Gemm>(*op.kernel())) continue;
    (op.weight_gradient ? weights : input) += WorkOf(*op.kernel()).flops.count();
  }
  // A layer's matrices: q and out h·h, k and v h·h/4 each, three of h·ffn; and
  // the head h·vocab. 2 FLOPs for each weight and token.
  const double h = 1024, ffn = 2816, s = 2048;
  const double matrices =
      4 * (2 * h * h + 2 * h * h / 4 + 3 * h * ffn) + h * 32000;
  EXPECT_EQ(input, 2 * s * matrices);
  EXPECT_EQ(weights, 2 * s * matrices);
}

// Bytes of what is made before the weight gradients and freed by them.
int64_t HeldForWeights(const OpGraph& graph) {
  int64_t held = 0;
  for (size_t row = 0; row < graph.ops.size(); ++row) {
    const auto id = sim::AsId<OpId>(row);
    if (graph.ops[id].weight_gradient) continue;
    for (const TensorId t : graph.makes[id]) {
      held += graph.tensors[t].bytes.count();
    }
    for (const TensorId t : graph.frees_split[id]) {
      held -= graph.tensors[t].bytes.count();
    }
  }
  return held;
}

TEST(SplitBackward, KeepsInputsAndOutputGradientsOfTheProducts) {
  // Of a layer, in words of a token. Inputs: both norms h, attention h, the
  // activated ffn. Gradients: qkv 1.5 h, attention out h, up and gate 2 ffn,
  // down h. Of the head: its norm h, the logits' gradient.
  const int64_t h = 1024, ffn = 2816, vocab = 32000, s = 2048;
  EXPECT_EQ(HeldForWeights(WholeOf(FourMicrobatches({}))),
            2 * s * (4 * (6 * h + h / 2 + 3 * ffn) + h + vocab));
}

TEST(SplitBackward, SequenceParallelInputsAreGatheredForTheirProduct) {
  // Two ranks: norms are held in halves, everything else is as wide as its
  // columns; gradients of the row-parallel products are gathered whole.
  const int64_t h = 1024, ffn = 2816, vocab = 32000, s = 2048;
  const int64_t inputs = h / 2 + h / 2 + h / 2 + ffn / 2;
  const int64_t gradients = 3 * h / 4 + h + ffn + h;
  EXPECT_EQ(
      HeldForWeights(WholeOf(FourMicrobatches({.tensor = 2, .sequence = true}))),
      2 * s * (4 * (inputs + gradients) + h / 2 + vocab / 2));
}

TEST(SplitBackward, WholePassesFreeWhatTheirLastReaderRead) {
  const OpGraph graph = WholeOf(FourMicrobatches({}));
  int64_t held = 0;
  for (size_t row = 0; row < graph.ops.size(); ++row) {
    const auto id = sim::AsId<OpId>(row);
    for (const TensorId t : graph.makes[id]) {
      held += graph.tensors[t].bytes.count();
    }
    for (const TensorId t : graph.frees[id]) {
      held -= graph.tensors[t].bytes.count();
    }
  }
  EXPECT_EQ(held, 0);
}

}  // namespace
}  // namespace models
