#include "models/expert_load.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace models {
namespace {

int64_t SumOf(const std::vector<int64_t>& load) {
  return std::accumulate(load.begin(), load.end(), int64_t{0});
}

// DeepSeek-V3's experts over 32 ranks, Mixtral's on one and over four, Llama 4
// Scout's, and experts that top_k does not divide.
const Routing kRoutings[] = {
    {.tokens = 1, .experts = 256, .top_k = 8, .ranks = 32},
    {.tokens = 3, .experts = 384, .top_k = 8, .ranks = 64},
    {.tokens = 33, .experts = 256, .top_k = 8, .ranks = 1},
    {.tokens = 64, .experts = 256, .top_k = 8, .ranks = 32},
    {.tokens = 5000, .experts = 8, .top_k = 2, .ranks = 1},
    {.tokens = 5000, .experts = 8, .top_k = 2, .ranks = 4},
    {.tokens = 777, .experts = 8, .top_k = 2, .ranks = 8},
    {.tokens = 100'000, .experts = 16, .top_k = 1, .ranks = 2},
    {.tokens = 4096, .experts = 60, .top_k = 7, .ranks = 4},
    {.tokens = 9, .experts = 4, .top_k = 4, .ranks = 2},
};

TEST(RowsOf, CountsRowsAndTheTilesThatCoverThem) {
  const ExpertRows rows = RowsOf(std::vector<int64_t>{0, 1, 33, 128});
  EXPECT_EQ(rows.rows, 162);
  EXPECT_EQ(rows.active, 3);
  // Of 16 rows: 1 + 3 + 8; of 32: 1 + 2 + 4; of 64: 1 + 1 + 2; of 128: 3 · 1.
  EXPECT_EQ(rows.tiles, (std::array<double, 4>{12, 7, 4, 3}));
}

TEST(BalancedLoad, GivesEveryExpertItsShare) {
  // 64 tokens · 8 experts each / 256 = 2, on 256 / 32 = 8 experts.
  EXPECT_EQ(
      BalancedLoad({.tokens = 64, .experts = 256, .top_k = 8, .ranks = 32}),
      std::vector<int64_t>(8, 2));
  // 33 tokens, one more than the stride of 32: token 32 comes back to experts
  // 32, 64, …, 256 mod 256 = 0, the first of each run of 32.
  const std::vector<int64_t> load =
      BalancedLoad({.tokens = 33, .experts = 256, .top_k = 8, .ranks = 1});
  for (size_t e = 0; e < load.size(); ++e) {
    EXPECT_EQ(load[e], e % 32 == 0 ? 2 : 1) << e;
  }
}

TEST(BalancedLoad, SpreadsFewTokensEvenlyOverTheStride) {
  // Stride 32. Tokens 0 to 3 begin at experts 0, 8, 16, 24 of each run of 32:
  // a rank that holds experts 0 to 7 sees one of them.
  EXPECT_EQ(
      BalancedLoad({.tokens = 4, .experts = 256, .top_k = 8, .ranks = 32}),
      (std::vector<int64_t>{1, 0, 0, 0, 0, 0, 0, 0}));
  // A rank with experts 0 to 127 sees all four, four times over.
  EXPECT_EQ(SumOf(BalancedLoad(
                {.tokens = 4, .experts = 256, .top_k = 8, .ranks = 2})),
            16);
}

TEST(BalancedLoad, KeepsEveryRowOnOneRank) {
  for (Routing routing : kRoutings) {
    routing.ranks = 1;
    EXPECT_EQ(SumOf(BalancedLoad(routing)), routing.tokens * routing.top_k);
  }
}

TEST(PowerLawDraw, KeepsEveryRowAndNoExpertSeesATokenTwice) {
  for (const Routing& routing : kRoutings) {
    for (uint64_t draw = 0; draw < 8; ++draw) {
      const std::vector<int64_t> load = PowerLawDraw(routing, {}, draw);
      EXPECT_EQ(static_cast<int64_t>(load.size()), routing.experts);
      EXPECT_EQ(SumOf(load), routing.tokens * routing.top_k);
      EXPECT_GE(*std::min_element(load.begin(), load.end()), 0);
      EXPECT_LE(*std::max_element(load.begin(), load.end()), routing.tokens);
    }
  }
}

TEST(PowerLawDraw, PutsTheBusiestRankFirst) {
  for (const Routing& routing : kRoutings) {
    const std::vector<int64_t> load = PowerLawDraw(routing, {}, 3);
    const auto per_rank =
        static_cast<ptrdiff_t>(routing.experts / routing.ranks);
    const int64_t first =
        std::accumulate(load.begin(), load.begin() + per_rank, int64_t{0});
    for (auto at = load.begin(); at != load.end(); at += per_rank) {
      EXPECT_LE(std::accumulate(at, at + per_rank, int64_t{0}), first);
    }
  }
}

TEST(PowerLawDraw, GivesLoneTokensToOneExpertOfTheFirstRanks) {
  // One token has 8 of 384 experts. Each share of 8 rounds to 0: the largest
  // is 2 / (384 · 0.26) · 8 = 0.16. The eight that are missing go to the
  // emptiest expert of each rank in turn: ranks 0 to 7 get one each.
  const std::vector<int64_t> load = PowerLawDraw(
      {.tokens = 1, .experts = 384, .top_k = 8, .ranks = 64}, {}, 0);
  for (size_t rank = 0; rank < 64; ++rank) {
    EXPECT_EQ(load[6 * rank], rank < 8 ? 1 : 0) << rank;
  }
  EXPECT_EQ(SumOf(load), 8);
}

TEST(PowerLawDraw, OnceGaveLoneTokensToTheFirstExperts) {
  // The same token: eight ones from the fullest on, and all are empty.
  const Routing routing{.tokens = 1, .experts = 384, .top_k = 8, .ranks = 64};
  const std::vector<int64_t> load =
      PowerLawDraw(routing, {.to_fullest = true}, 0);
  for (size_t e = 0; e < load.size(); ++e) EXPECT_EQ(load[e], e < 8 ? 1 : 0);
  for (const Routing& each : kRoutings) {
    for (uint64_t draw = 0; draw < 8; ++draw) {
      const auto other = PowerLawDraw(each, {.to_fullest = true}, draw);
      EXPECT_EQ(SumOf(other), each.tokens * each.top_k);
      EXPECT_GE(*std::min_element(other.begin(), other.end()), 0);
    }
  }
}

TEST(PowerLawDraw, IsSkewedAsThePowerLawSays) {
  // x^-1.2 on [1, 0.8 · 65536]: the quantile of u is
  // (1 - u (1 - 52429^-0.2))^-5, so that the mean is
  // 0.2 / 0.8 · (52429^0.8 - 1) / (1 - 52429^-0.2) = 1684 and the median
  // (0.5 (1 + 52429^-0.2))^-5 = 18: half the experts have a hundredth of the
  // mean.
  const Routing routing{.tokens = 65536, .experts = 4096, .top_k = 8};
  std::vector<int64_t> load = PowerLawDraw(routing, {}, 0);
  std::sort(load.begin(), load.end());
  const double mean = 65536.0 * 8 / 4096;
  EXPECT_NEAR(static_cast<double>(load[2048]) / mean, 18.0 / 1684, 0.004);
}

TEST(PowerLawRows, LoadTheBusiestRankMoreThanItsShare) {
  for (const Routing& routing : kRoutings) {
    const double share = static_cast<double>(routing.tokens * routing.top_k) /
                         static_cast<double>(routing.ranks);
    EXPECT_GE(PowerLawRows(routing, {}).rows, share * (1 - 1e-12));
    EXPECT_LE(PowerLawRows(routing, {}).active,
              static_cast<double>(routing.experts / routing.ranks));
  }
}

TEST(PowerLawRows, AreTheSameEveryTime) {
  EXPECT_EQ(PowerLawRows(kRoutings[3], {}), PowerLawRows(kRoutings[3], {}));
}

}  // namespace
}  // namespace models
