#include "scenarios/trace.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>

#include "sim/program.h"
#include "tests/scenarios/small_trace.h"

namespace scenarios {
namespace {

using sim::AxisId;

TEST(ArrowEnds, TheKthCallOfOneMeetsTheKthCallOfTheOther) {
  const SmallTrace small;
  ArrowEnds sender(small.inputs), receiver(small.inputs);
  sender.Start(0);    // rank 0, "forward out"
  receiver.Start(2);  // rank 2, "forward in"
  std::set<uint64_t> ids;
  for (int call = 0; call < 3; ++call) {
    sender.Next(sim::kNoAxis);
    sender.Next(AxisId{0});
    const ArrowEnd from = sender.Next(AxisId{1}), to = receiver.Next(AxisId{2});
    EXPECT_EQ(from.side, ArrowEnd::kFirst);
    EXPECT_EQ(to.side, ArrowEnd::kLast);
    EXPECT_EQ(from.id, to.id);
    EXPECT_NE(from.id, 0);
    ids.insert(from.id);
  }
  EXPECT_EQ(ids.size(), 3);
}

TEST(ArrowEnds, ACollectiveGoesFromTheFirstTracedMemberToTheLast) {
  SmallTrace small;
  // All four ranks in one tensor group.
  for (uint32_t rank = 0; rank < 4; ++rank) {
    small.program.groups[rank * 5] = sim::GroupId{0};
  }
  ArrowEnds ends(small.inputs);
  for (const auto& [rank, side] :
       {std::pair(0, ArrowEnd::kFirst), std::pair(1, ArrowEnd::kMiddle),
        std::pair(2, ArrowEnd::kMiddle), std::pair(3, ArrowEnd::kLast)}) {
    ends.Start(static_cast<size_t>(rank));
    EXPECT_EQ(ends.Next(AxisId{0}).side, side) << rank;
  }
}

TEST(ArrowEnds, WithoutATracedPeerThereIsNone) {
  SmallTrace small;
  small.inputs.ranks.resize(1);
  ArrowEnds ends(small.inputs);
  ends.Start(0);
  for (uint8_t axis = 0; axis < 5; ++axis) {
    EXPECT_EQ(ends.Next(AxisId{axis}).side, ArrowEnd::kNone);
  }
}

TEST(ArrowEnds, OfARankTracedTwiceOnlyTheFirstHasThem) {
  SmallTrace small;
  small.inputs.ranks[1] = small.inputs.ranks[0];
  small.inputs.ranks[1].number = 99;
  ArrowEnds ends(small.inputs);
  ends.Start(0);
  EXPECT_EQ(ends.Next(AxisId{1}).side, ArrowEnd::kFirst);
  ends.Start(1);
  EXPECT_EQ(ends.Next(AxisId{1}).side, ArrowEnd::kNone);
}

TEST(ArrowEnds, AFoldedChannelOfARankToItselfJoinsItsTwoEnds) {
  SmallTrace small;
  small.inputs.ranks.resize(1);
  small.program.groups[1] = small.program.groups[2] = sim::GroupId{1};
  ArrowEnds ends(small.inputs);
  ends.Start(0);
  const ArrowEnd from = ends.Next(AxisId{1}), to = ends.Next(AxisId{2});
  EXPECT_EQ(from.side, ArrowEnd::kFirst);
  EXPECT_EQ(to.side, ArrowEnd::kLast);
  EXPECT_EQ(from.id, to.id);
}

TEST(ArrowEnds, NoneWhereNoAxisIsSaidToHaveThem) {
  SmallTrace small;
  small.inputs.arrows = {};
  ArrowEnds ends(small.inputs);
  ends.Start(0);
  EXPECT_EQ(ends.Next(AxisId{0}).side, ArrowEnd::kNone);
}

}  // namespace
}  // namespace scenarios
