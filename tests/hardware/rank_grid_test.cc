#include "hardware/rank_grid.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "sim/program_check.h"

namespace hardware {
namespace {

using models::Axis;

TEST(RankGrid, NumbersTensorFastestThenContextDataPipeline) {
  const RankGrid grid(
      {.tensor = 2, .context = 2, .pipeline = 2, .data = 3});  // 24 ranks
  // 17 = 1 + 2·(0 + 2·(1 + 3·1))
  const RankPlace place = grid.Place(17);
  EXPECT_EQ(place.tensor, 1);
  EXPECT_EQ(place.context, 0);
  EXPECT_EQ(place.data, 1);
  EXPECT_EQ(place.stage, 1);
  for (int64_t rank = 0; rank < 24; ++rank) {
    EXPECT_EQ(grid.RankAt(grid.Place(rank)), rank);
  }
}

TEST(RankGrid, GroupsAreTheRanksThatDifferInOneCoordinate) {
  const RankGrid grid({.tensor = 4, .pipeline = 2, .data = 2});
  EXPECT_EQ(grid.GroupOf(6, Axis::kTensor), (std::vector<int>{4, 5, 6, 7}));
  EXPECT_EQ(grid.GroupOf(6, Axis::kData), (std::vector<int>{2, 6}));
  EXPECT_EQ(grid.GroupOf(6, Axis::kEmbedding), (std::vector<int>{6, 14}));
  EXPECT_EQ(grid.GroupOf(6, Axis::kModel),
            (std::vector<int>{4, 5, 6, 7, 12, 13, 14, 15}));
}

TEST(RankGrid, DataGroupsHoldContextRanksToo) {
  const RankGrid grid({.context = 2, .data = 2});
  EXPECT_EQ(grid.GroupOf(0, Axis::kData), (std::vector<int>{0, 1, 2, 3}));
}

TEST(RankGrid, NeighboursDivideHeadsAndEveryOtherPassesKeys) {
  // Of eight context-parallel ranks, pairs divide the heads.
  const RankGrid grid({.tensor = 2,
                       .context = 8,
                       .context_kind = models::ContextKind::kHybrid,
                       .context_inner = 2});
  // Rank 7 is tensor 1, context 3: its pair is context 2 and 3, its ring 1, 3,
  // 5 and 7.
  EXPECT_EQ(grid.GroupOf(7, Axis::kContextHeads), (std::vector<int>{5, 7}));
  EXPECT_EQ(grid.GroupOf(7, Axis::kContext), (std::vector<int>{3, 7, 11, 15}));
  const RankGrid ring({.context = 4});
  EXPECT_EQ(ring.GroupOf(1, Axis::kContext), (std::vector<int>{0, 1, 2, 3}));
  const RankGrid heads(
      {.context = 4, .context_kind = models::ContextKind::kAllToAll});
  EXPECT_EQ(heads.GroupOf(1, Axis::kContextHeads),
            (std::vector<int>{0, 1, 2, 3}));
}

TEST(RankGrid, HybridShardsAreNeighboursAndReplicasAreApart) {
  const RankGrid grid({.data = 8, .zero = 3, .shard_group = 4});
  EXPECT_EQ(grid.GroupOf(5, Axis::kShard), (std::vector<int>{4, 5, 6, 7}));
  EXPECT_EQ(grid.GroupOf(5, Axis::kReplicate), (std::vector<int>{1, 5}));
}

TEST(RankGrid, ChannelsLinkStagesInALineOrWithChunksInARing) {
  const RankGrid line({.pipeline = 3});
  EXPECT_EQ(line.GroupOf(1, Axis::kForwardIn), (std::vector<int>{0, 1}));
  EXPECT_EQ(line.GroupOf(1, Axis::kForwardOut), (std::vector<int>{1, 2}));
  EXPECT_EQ(line.GroupOf(1, Axis::kBackwardIn), (std::vector<int>{2, 1}));
  EXPECT_EQ(line.GroupOf(1, Axis::kBackwardOut), (std::vector<int>{1, 0}));
  EXPECT_TRUE(line.GroupOf(2, Axis::kForwardOut).empty());
  const RankGrid ring({.pipeline = 3, .virtual_stages = 2});
  EXPECT_EQ(ring.GroupOf(2, Axis::kForwardOut), (std::vector<int>{2, 0}));
  EXPECT_EQ(ring.GroupOf(0, Axis::kForwardIn), (std::vector<int>{2, 0}));
}

TEST(RankGrid, DataThatComesBackUpTheStagesHasChannelsOfItsOwn) {
  const RankGrid vee({.pipeline = 3, .virtual_stages = 2, .schedule = "zb-v"});
  EXPECT_EQ(vee.GroupOf(1, Axis::kForwardOut), (std::vector<int>{1, 2}));
  EXPECT_TRUE(vee.GroupOf(2, Axis::kForwardOut).empty());
  EXPECT_EQ(vee.GroupOf(1, Axis::kUpForwardIn), (std::vector<int>{2, 1}));
  EXPECT_EQ(vee.GroupOf(1, Axis::kUpForwardOut), (std::vector<int>{1, 0}));
  EXPECT_EQ(vee.GroupOf(1, Axis::kUpBackwardIn), (std::vector<int>{0, 1}));
  EXPECT_TRUE(vee.GroupOf(0, Axis::kEmbedding).empty());
}

TEST(RankGrid, TwoCopiesOfAStageShareTheirGradients) {
  // Stages 0 and 3 hold parts 0 and 3, stages 1 and 2 the others; two replicas.
  const RankGrid grid({.pipeline = 4, .schedule = "dualpipe", .data = 2});
  EXPECT_EQ(grid.GroupOf(0, Axis::kData), (std::vector<int>{0, 1, 6, 7}));
  EXPECT_EQ(grid.GroupOf(5, Axis::kData), (std::vector<int>{2, 3, 4, 5}));
  // Each copy has a gradient norm.
  EXPECT_EQ(grid.GroupOf(4, Axis::kModel), (std::vector<int>{4, 6}));
}

TEST(RankGrid, FilledGroupsAreTheOnesItNames) {
  const std::vector<Axis> axes = {
      Axis::kTensor,       Axis::kData,         Axis::kEmbedding,
      Axis::kModel,        Axis::kForwardIn,    Axis::kForwardOut,
      Axis::kBackwardIn,   Axis::kBackwardOut,  Axis::kUpForwardIn,
      Axis::kUpForwardOut, Axis::kUpBackwardIn, Axis::kUpBackwardOut};
  for (const auto& [chunks, schedule] :
       {std::pair(1, "1f1b"), std::pair(2, "interleaved-1f1b"),
        std::pair(2, "zb-v"), std::pair(1, "dualpipe")}) {
    const RankGrid grid({.tensor = 2,
                         .pipeline = 2,
                         .virtual_stages = chunks,
                         .schedule = schedule,
                         .data = 2});
    sim::Program program;
    program.lanes.Append("compute");
    program.scripts.Append({});
    program.script = sim::Column<sim::RankId, sim::ScriptId>(8);
    grid.FillGroups(axes, &program);
    EXPECT_TRUE(sim::Check(program).ok()) << sim::Check(program);
    for (size_t rank = 0; rank < 8; ++rank) {
      for (size_t column = 0; column < axes.size(); ++column) {
        const sim::GroupId group = program.group(
            sim::AsId<sim::RankId>(rank), sim::AsId<sim::AxisId>(column));
        const auto expected =
            grid.GroupOf(static_cast<int64_t>(rank), axes[column]);
        if (group == sim::kNoGroup) {
          EXPECT_LT(expected.size(), 2u);
          continue;
        }
        std::vector<int> members;
        for (const sim::RankId member : program.members[group]) {
          members.push_back(static_cast<int>(sim::Row(member)));
        }
        EXPECT_EQ(members, expected);
      }
    }
  }
}

}  // namespace
}  // namespace hardware
