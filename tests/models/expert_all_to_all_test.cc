#include "models/expert_all_to_all.h"

#include <gtest/gtest.h>

namespace models {
namespace {

TEST(RowBytes, IncludeTheScalesOfFp8) {
  ExpertAllToAll exchange{.hidden = 7168};
  EXPECT_EQ(RowBytes(exchange), 14336);
  exchange.dtype = DType::kFp8;
  // 7168 / 128 = 56 scales of 4 bytes.
  EXPECT_EQ(RowBytes(exchange), 7168 + 224);
  exchange.hidden = 130;
  EXPECT_EQ(RowBytes(exchange), 130 + 8);
}

TEST(DistinctParts, CountsPartsThatATokensExpertsTouch) {
  // Two of eight experts, four parts of two: the second lies in the first's
  // part once in seven: 2 - 1/7.
  EXPECT_NEAR(DistinctParts(8, 4, 2), 2 - 1.0 / 7, 1e-12);
  // One expert touches one part; all experts touch all.
  EXPECT_NEAR(DistinctParts(256, 32, 1), 1, 1e-12);
  EXPECT_NEAR(DistinctParts(16, 4, 16), 4, 1e-12);
  EXPECT_EQ(DistinctParts(16, 1, 3), 1);
  // A part that cannot be missed: 13 of 16 leave three, and parts hold four.
  EXPECT_EQ(DistinctParts(16, 4, 13), 4);
}

TEST(SpreadOf, KeepsATokenOnAsManyNodesAsItMay) {
  const ExpertAllToAll exchange{
      .tokens = 1, .hidden = 1, .experts = 256, .top_k = 8, .node_limit = 4};
  // Four of eight nodes hold 128 experts, 32 each: a node is missed with
  // C(96, 8) / C(128, 8) = 0.0927; of their 32 ranks, 4 experts each, a rank
  // with C(124, 8) / C(128, 8) = 0.770.
  const ExpertSpread spread = SpreadOf(exchange, 64, 8);
  EXPECT_NEAR(spread.nodes, 4 * (1 - 0.0927), 0.002);
  EXPECT_NEAR(spread.ranks, 32 * (1 - 0.770), 0.02);
  // On two nodes the limit of four does nothing.
  ExpertAllToAll free = exchange;
  free.node_limit = 0;
  EXPECT_EQ(SpreadOf(exchange, 16, 2).ranks, SpreadOf(free, 16, 2).ranks);
}

TEST(SpreadOf, GrowsWithChoicesAndNodes) {
  ExpertAllToAll exchange{.tokens = 1, .hidden = 1, .experts = 256};
  double before = 0;
  for (int64_t k = 1; k <= 256; k *= 2) {
    exchange.top_k = k;
    const ExpertSpread spread = SpreadOf(exchange, 64, 8);
    EXPECT_GT(spread.ranks, before);
    EXPECT_LE(spread.nodes, spread.ranks + 1e-9);
    EXPECT_LE(spread.ranks, 64);
    before = spread.ranks;
  }
}

}  // namespace
}  // namespace models
