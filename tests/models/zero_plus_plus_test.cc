#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/data_parallel.h"
#include "models/training_graph.h"
#include "tests/models/small_models.h"

namespace models {
namespace {

// 16 ranks of two servers.
TrainingSpec ZeroThree() {
  TrainingSpec t;
  t.sequence_length = 1024;
  t.global_batch = 16;
  t.split.data = 16;
  t.split.zero = 3;
  t.split.server_ranks = 8;
  t.fp32_grad_reduce = false;
  t.pad_vocab_to = 1;
  return t;
}

OpGraph Whole(const TrainingSpec& t) {
  const ModelSpec m = PlainLayers(4);
  return BuildChunk(m, t, ChunksOf(m, t.split)[0][0]);
}

struct Moved {
  int count = 0;
  int64_t bytes = 0;
};
Moved MovedOn(const OpGraph& graph, Axis axis, CollectiveKind kind,
              Phase phase) {
  Moved moved;
  for (const Op& op : graph.ops) {
    const Collective* c = op.collective();
    if (c == nullptr || c->axis != axis || c->kind != kind ||
        op.phase != phase) {
      continue;
    }
    ++moved.count;
    moved.bytes += c->bytes.count();
  }
  return moved;
}

int64_t LayerParameters() {
  return RankShape(PlainLayers(4), ZeroThree()).LayerParameters(0).total();
}

TEST(ZeroPlusPlus, BackwardGathersFromTheSecondShard) {
  TrainingSpec t = ZeroThree();
  t.split.second_shard = 8;
  const OpGraph graph = Whole(t);
  // Four layers and the ends forward, from all ranks; four layers backward.
  EXPECT_EQ(MovedOn(graph, Axis::kShard, CollectiveKind::kAllGather,
                    Phase::kForward)
                .count,
            5);
  EXPECT_EQ(MovedOn(graph, Axis::kShard, CollectiveKind::kAllGather,
                    Phase::kBackward)
                .count,
            0);
  const Moved second = MovedOn(graph, Axis::kSecondShard,
                               CollectiveKind::kAllGather, Phase::kBackward);
  EXPECT_EQ(second.count, 4);
  EXPECT_EQ(second.bytes, 4 * 2 * LayerParameters());
}

TEST(ZeroPlusPlus, TheSecondShardTakesAnEighthOfThe16BitWeights) {
  TrainingSpec t = ZeroThree();
  const HeldParameters held{.all = {.dense = 8'000'000},
                            .trained = {.dense = 8'000'000}};
  // The FP32 shard is optimizer state, so that of zero 3 alone is empty.
  EXPECT_EQ(HeldBytes(t, held, Holder::kWeights), sim::Bytes(0));
  t.split.second_shard = 8;
  EXPECT_EQ(HeldBytes(t, held, Holder::kWeights), sim::Bytes(2'000'000));
}

TEST(ZeroPlusPlus, QuantisedWeightsTravelInOneByteEach) {
  TrainingSpec t = ZeroThree();
  const Moved plain = MovedOn(Whole(t), Axis::kShard,
                              CollectiveKind::kAllGather, Phase::kBackward);
  t.split.quantized_weights = true;
  const OpGraph graph = Whole(t);
  const Moved packed = MovedOn(graph, Axis::kShard, CollectiveKind::kAllGather,
                               Phase::kBackward);
  EXPECT_EQ(packed.count, plain.count);
  EXPECT_EQ(2 * packed.bytes, plain.bytes);
  // A rank quantises its 16th, 2 bytes read and 1 written; all is dequantised,
  // 1 read and 2 written.
  int64_t quantised = 0, dequantised = 0;
  for (const Op& op : graph.ops) {
    if (op.layer != 1 || op.kernel() == nullptr) continue;
    const Work work = WorkOf(*op.kernel());
    if (op.name != "dequantise weights") continue;
    dequantised += work.written.count();
    EXPECT_FALSE(op.beside);
  }
  for (const Op& op : graph.ops) {
    if (op.name != "quantise weights to send") continue;
    EXPECT_EQ(op.beside, Axis::kShard);
    quantised += WorkOf(*op.kernel()).written.count();
  }
  EXPECT_EQ(dequantised, 2 * 2 * LayerParameters());
  EXPECT_GE(quantised, 8 * LayerParameters() / 16);
}

TEST(ZeroPlusPlus, GradientsTravelInHalfAByteInTwoHops) {
  TrainingSpec t = ZeroThree();
  t.split.quantized_gradients = true;
  const OpGraph graph = Whole(t);
  EXPECT_EQ(MovedOn(graph, Axis::kShard, CollectiveKind::kReduceScatter,
                    Phase::kBackward)
                .count,
            0);
  const Moved near = MovedOn(graph, Axis::kShardNear, CollectiveKind::kAllToAll,
                             Phase::kBackward);
  const Moved far = MovedOn(graph, Axis::kShardFar, CollectiveKind::kAllToAll,
                            Phase::kBackward);
  // Four layers and the ends. All parameters in 4 bits to 8 neighbours, then an
  // eighth of them to the other server.
  const int64_t all =
      HeldOf(RankShape(PlainLayers(4), t), ChunksOf(PlainLayers(4), t.split)[0])
          .all.total();
  EXPECT_EQ(near.count, 5);
  EXPECT_NEAR(static_cast<double>(near.bytes), static_cast<double>(all) / 2, 5);
  EXPECT_NEAR(static_cast<double>(far.bytes), static_cast<double>(all) / 16, 5);
}

TEST(ZeroPlusPlus, TheFirstHopTakesNeighboursThatDivideTheShardRanks) {
  EXPECT_EQ(NearRanks({.data = 16, .zero = 3, .server_ranks = 8}), 8);
  EXPECT_EQ(NearRanks({.tensor = 2, .data = 16, .zero = 3, .server_ranks = 8}),
            4);
  EXPECT_EQ(NearRanks({.data = 4, .zero = 3, .server_ranks = 8}), 4);
  EXPECT_EQ(NearRanks({.data = 12, .zero = 3, .server_ranks = 8}), 6);
  EXPECT_EQ(NearRanks({.tensor = 8, .data = 4, .zero = 3, .server_ranks = 4}),
            1);
}

// Names of the ops of the backward pass that the limits order.
std::vector<std::string> Order(const TrainingSpec& t) {
  std::vector<std::string> names;
  for (const Op& op : Whole(t).ops) {
    if (op.phase != Phase::kBackward || op.layer < 0) continue;
    if (op.name == "gather weights" || op.name == "reduce gradients") {
      names.emplace_back(op.name);
    } else if (names.empty() || names.back() != "compute") {
      names.emplace_back("compute");
    }
  }
  return names;
}

TEST(GatherLimits, BackwardPrefetchSaysWhenTheNextLayerIsGathered) {
  TrainingSpec t = ZeroThree();
  const std::string c = "compute", g = "gather weights", r = "reduce gradients";
  t.overlap.backward_prefetch = BackwardPrefetch::kPost;
  // The gather of the first layer comes before any layer is selected.
  EXPECT_EQ(Order(t),
            (std::vector{c, g, r, c, g, r, c, g, r, c, r}));
  t.overlap.backward_prefetch = BackwardPrefetch::kNone;
  EXPECT_EQ(Order(t),
            (std::vector{c, r, g, c, r, g, c, r, g, c, r}));
}

TEST(GatherLimits, DeepSpeedCountsParameters) {
  Overlap o;
  EXPECT_EQ(LayersAhead(o, Phase::kForward, 100), 1);
  o.forward_prefetch_layers = 3;
  EXPECT_EQ(LayersAhead(o, Phase::kForward, 100), 3);
  EXPECT_EQ(LayersAhead(o, Phase::kBackward, 100), 1);
  // Layers are fetched until the bucket is full: 100, 200, 300 parameters.
  o.prefetch_bucket = 250;
  EXPECT_EQ(LayersAhead(o, Phase::kForward, 100), 3);
  // Four layers are live: the one that runs and three ahead.
  o.max_live_parameters = 450;
  EXPECT_EQ(LayersAhead(o, Phase::kForward, 100), 3);
  o.max_live_parameters = 250;
  EXPECT_EQ(LayersAhead(o, Phase::kForward, 100), 1);
  o.max_live_parameters = 50;
  EXPECT_EQ(LayersAhead(o, Phase::kForward, 100), 0);
}

TEST(GatherLimits, WithoutALimitGathersWaitForNoLayer) {
  TrainingSpec t = ZeroThree();
  for (const bool limit : {true, false}) {
    t.overlap.limit_all_gathers = limit;
    const OpGraph graph = Whole(t);
    size_t waits = 0;
    for (size_t row = 0; row < graph.ops.size(); ++row) {
      const auto id = sim::AsId<OpId>(row);
      if (graph.ops[id].name == "gather weights") {
        waits += graph.needs[id].size();
      }
    }
    // Two of four layers forward, and two backward, wait for the one two before.
    EXPECT_EQ(waits, limit ? 4u : 0u);
  }
}

}  // namespace
}  // namespace models
