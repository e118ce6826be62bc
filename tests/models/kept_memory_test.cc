// What a layer keeps for its backward pass, and what it runs again instead.
#include <gtest/gtest.h>

#include <variant>

#include "models/training_graph.h"
#include "tests/models/small_models.h"

namespace models {
namespace {

// Bytes that the forward pass leaves for the backward pass, by holder.
int64_t KeptBytes(const OpGraph& graph, Holder holder) {
  std::map<TensorId, int64_t> live;
  int64_t kept = 0;
  for (size_t row = 0; row < graph.ops.size(); ++row) {
    const auto id = sim::AsId<OpId>(row);
    if (graph.ops[id].phase != Phase::kForward) break;
    for (const TensorId t : graph.makes[id]) {
      if (graph.tensors[t].holder == holder) {
        kept += graph.tensors[t].bytes.count();
      }
    }
    for (const TensorId t : graph.frees[id]) {
      if (graph.tensors[t].holder == holder) {
        kept -= graph.tensors[t].bytes.count();
      }
    }
  }
  return kept;
}

TEST(KeptMemory, LayersKeepKorthikantisBytes) {
  // Korthikanti et al. 2022, equation 2: s·b·h·(34 + 5·a·s/h) bytes a layer,
  // with materialised scores and dropout.
  ModelSpec m = SmallGpt();
  TrainingSpec t = Training(1024);
  t.micro_batch = 2;
  t.global_batch = 2;
  t.kernels.fused_attention = false;
  t.kernels.dropout = 0.1;
  const auto layers = [&](int64_t count) {
    m.layers = count;
    return KeptBytes(Whole(m, t), Holder::kActivations);
  };
  const int64_t s = 1024, b = 2, h = 512, a = 8;
  EXPECT_EQ(layers(3) - layers(2), s * b * (34 * h + 5 * a * s));
}

TEST(KeptMemory, SelectiveRecomputationKeeps34Bytes) {
  // Korthikanti et al. 2022, section 5: without the scores, 34·s·b·h a layer.
  ModelSpec m = SmallGpt();
  TrainingSpec t = Training(1024);
  t.kernels.fused_attention = false;
  t.kernels.dropout = 0.1;
  t.recompute = Recompute::kSelective;
  const auto layers = [&](int64_t count) {
    m.layers = count;
    return KeptBytes(Whole(m, t), Holder::kActivations);
  };
  EXPECT_EQ(layers(3) - layers(2), 1024 * 34 * 512);
}

TEST(KeptMemory, FullRecomputationKeepsOnlyTheInputOfALayer) {
  ModelSpec m = SmallGpt();
  TrainingSpec t = Training(1024);
  t.recompute = Recompute::kFull;
  const auto layers = [&](int64_t count) {
    m.layers = count;
    return KeptBytes(Whole(m, t), Holder::kActivations);
  };
  EXPECT_EQ(layers(3) - layers(2), 1024 * 512 * 2);
}

TEST(KeptMemory, OperatorRecomputationKeepsEverySecondProduct) {
  ModelSpec m = SmallLlama();
  TrainingSpec t = Training(1024);
  t.recompute = Recompute::kOperators;
  const auto layers = [&](int64_t count) {
    m.layers = count;
    return KeptBytes(Whole(m, t), Holder::kActivations);
  };
  // A token, in elements of two bytes: the layer's input 1024, q, k and v 1536,
  // attention's output 1024, up 2816, down 1024; and a log-sum-exp of four
  // bytes for each of 16 heads. Not the gate, norms, projection or product.
  EXPECT_EQ(layers(3) - layers(2),
            1024 * (2 * (1024 + 1536 + 1024 + 2816 + 1024) + 16 * 4));
}

TEST(KeptMemory, DotsOutsideTheMlpAreKept) {
  ModelSpec m = SmallLlama();
  TrainingSpec t = Training(1024);
  t.recompute = Recompute::kDotsExceptMlp;
  const auto layers = [&](int64_t count) {
    m.layers = count;
    return KeptBytes(Whole(m, t), Holder::kActivations);
  };
  // A token, in elements of two bytes: the layer's input 1024, q, k and v 1536,
  // attention's projection 1024; of attention, the MLP and norms nothing.
  EXPECT_EQ(layers(3) - layers(2), 1024 * 2 * (1024 + 1536 + 1024));

  // Again: attention, and the products up and gate, 1024 by 2 · 2816.
  double again = 0;
  const OpGraph graph = Whole(m, t);
  for (const Op& op : graph.ops) {
    if (!op.recompute || op.layer != 1 || op.kernel() == nullptr) continue;
    if (const auto* gemm = std::get_if<Gemm>(op.kernel())) {
      again += WorkOf(*op.kernel()).flops.count();
      EXPECT_EQ(gemm->n, 2 * 2816);
    }
  }
  EXPECT_EQ(again, 2.0 * 1024 * 1024 * 2 * 2816);
}

TEST(KeptMemory, FurtherNormsKeepTheirInputs) {
  ModelSpec m = SmallLlama();
  const TrainingSpec t = Training(1024);
  const auto a_layer = [&] {
    m.layers = 3;
    const int64_t three = KeptBytes(Whole(m, t), Holder::kActivations);
    m.layers = 2;
    return three - KeptBytes(Whole(m, t), Holder::kActivations);
  };
  const int64_t plain = a_layer();
  m.norms_per_layer = 4;  // one behind each half, as wide as the stream
  EXPECT_EQ(a_layer() - plain, 1024 * 2 * 1024 * 2);
  m.norms_per_layer = 2;
  m.qk_norm = true;  // over 1024 of queries and 256 of keys
  EXPECT_EQ(a_layer() - plain, 1024 * (1024 + 256) * 2);
}

}  // namespace
}  // namespace models
