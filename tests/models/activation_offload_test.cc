#include "models/activation_offload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "models/activation_memory.h"
#include "models/training_graph.h"
#include "tests/models/small_models.h"

namespace models {
namespace {

OpGraph Chunk(int64_t offloaded, bool wait = false,
              Recompute recompute = Recompute::kNone) {
  const ModelSpec m = PlainLayers(8);
  TrainingSpec t;
  t.sequence_length = 1024;
  t.pad_vocab_to = 1;
  t.recompute = recompute;
  t.offload.activation_layers = offloaded;
  t.offload.activations_wait = wait;
  return BuildChunk(m, t, ChunksOf(m, t.split)[0][0]);
}

size_t Find(const OpGraph& graph, absl::string_view name, int32_t layer) {
  for (size_t row = 0; row < graph.ops.size(); ++row) {
    const Op& op = graph.ops[sim::AsId<OpId>(row)];
    if (op.name == name && op.layer == layer) return row;
  }
  ADD_FAILURE() << name << " of layer " << layer;
  return 0;
}

// The most bytes that are there at once as ops are issued, and those left over.
struct Replayed {
  int64_t peak = 0, left = 0;
};
Replayed Replay(const OpGraph& graph) {
  Replayed r;
  for (size_t row = 0; row < graph.ops.size(); ++row) {
    const auto id = sim::AsId<OpId>(row);
    for (const TensorId t : graph.makes[id]) {
      r.left += graph.tensors[t].bytes.count();
    }
    r.peak = std::max(r.peak, r.left);
    for (const TensorId t : graph.frees[id]) {
      r.left -= graph.tensors[t].bytes.count();
    }
  }
  return r;
}

TEST(ActivationOffload, MovesWhatALayerKeepsOutAndBack) {
  const OpGraph plain = Chunk(0);
  const OpGraph graph = Chunk(8);
  int64_t out = 0, back = 0, held = 0;
  for (const Op& op : graph.ops) {
    const Collective* c = op.collective();
    if (c == nullptr) continue;
    (c->axis == Axis::kToHost ? out : back) += c->bytes.count();
    held += c->host_held.count();
  }
  EXPECT_EQ(out, back);
  EXPECT_EQ(held, 0);
  // All that is kept but for the ends: their statistics and logits.
  EXPECT_LE(out, KeptBytes(plain).count());
  int64_t layers = 0;
  for (int64_t layer = 1; layer < 8; ++layer) {
    layers += KeptBytes(plain, layer).count();
  }
  EXPECT_GE(out, layers);
}

TEST(ActivationOffload, EveryTensorIsFreedOnceAndThePeakFalls) {
  const Replayed plain = Replay(Chunk(0));
  for (const Recompute recompute : {Recompute::kNone, Recompute::kFull}) {
    for (const bool wait : {false, true}) {
      for (const int64_t layers : {1, 4, 8}) {
        const Replayed r = Replay(Chunk(layers, wait, recompute));
        EXPECT_EQ(r.left, 0) << layers;
        EXPECT_LT(r.peak, plain.peak) << layers;
      }
    }
  }
}

TEST(ActivationOffload, LeavesBeforeTheLayerTwoAfterItAndReturnsALayerAhead) {
  const OpGraph graph = Chunk(8);
  // Issued after its layer, waited for by a kernel of layer 4.
  const size_t leaves = Find(graph, "offload activations", 2);
  size_t waits = 0;
  for (size_t row = 0; row < graph.ops.size() && waits == 0; ++row) {
    for (const OpId need : graph.needs[sim::AsId<OpId>(row)]) {
      if (sim::Row(need) == leaves) waits = row;
    }
  }
  EXPECT_EQ(graph.ops[sim::AsId<OpId>(waits)].layer, 4);
  EXPECT_EQ(graph.ops[sim::AsId<OpId>(waits)].phase, Phase::kForward);
  // Back as layer 3 begins its backward pass.
  const size_t returns = Find(graph, "fetch activations", 2);
  const Op& next = graph.ops[sim::AsId<OpId>(returns + 1)];
  EXPECT_EQ(next.layer, 3);
  EXPECT_EQ(next.phase, Phase::kBackward);
}

TEST(ActivationOffload, FewerLayersHaveLongerToLeave) {
  // Eight layers, two of which leave: windows of four.
  EXPECT_EQ(LeftAfter(0, 2, 8), 3);
  EXPECT_EQ(LeftAfter(1, 2, 8), 7);
  EXPECT_EQ(LeftAfter(0, 8, 8), 1);
  EXPECT_EQ(LeftAfter(5, 8, 8), 6);
}

TEST(ActivationOffload, SynchronousCopiesHoldTheHostUp) {
  const OpGraph graph = Chunk(8, true);
  EXPECT_TRUE(
      graph.ops[sim::AsId<OpId>(Find(graph, "offload activations", 2))]
          .host_sync);
  const size_t returns = Find(graph, "fetch activations", 2);
  EXPECT_EQ(graph.ops[sim::AsId<OpId>(returns + 1)].layer, 2);
}

TEST(ActivationOffload, FullRecomputationMovesLayerInputsAlone) {
  int64_t out = 0;
  for (const Op& op : Chunk(8, false, Recompute::kFull).ops) {
    if (op.name == "offload activations") {
      out += op.collective()->bytes.count();
    }
  }
  // Eight inputs of 1024 tokens x 1024, 2 bytes each.
  EXPECT_EQ(out, 8 * 1024 * 1024 * 2);
}

}  // namespace
}  // namespace models
