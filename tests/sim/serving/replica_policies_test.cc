// Timelines of the policies that engines differ in, worked out by hand: a step
// takes 10 ms, and 1 ms for each of its tokens.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/serving/small_serving.h"

namespace sim {
namespace {

using Steps = std::vector<std::string>;

TEST(StaticBatching, ComputesOnWhatHasEndedUntilTheLongestHas) {
  EnginePolicy policy{.batching = Batching::kStatic, .max_num_seqs = 2};
  const Played p = Play(OneEngine(policy, 40), {{.input = 4, .output = 2},
                                                {.input = 4, .output = 4},
                                                {.input = 4, .output = 1}});
  // The first ends at 30, and is computed on: 12 ms a step. The third waits for
  // the whole batch.
  EXPECT_EQ(p.steps, Steps({"0-18 p4 p4", "18-30 d2", "30-42 d2", "42-54 d2",
                            "54-68 p4"}));
  EXPECT_EQ(p.done.at(0).finish, AtMs(30));
  EXPECT_EQ(DumpParts(p.done.at(2)), "q54 p14 t0 d0 i0 x0");
}

TEST(PrefillFirst, KeepsThoseThatDecodeWaiting) {
  EnginePolicy policy{.batching = Batching::kPrefillFirst};
  const Played p =
      Play(OneEngine(policy, 40),
           {{.input = 10, .output = 3}, {.arrival = AtMs(5), .input = 20}});
  // The second's prompt has a step of its own: 30 ms more for the first.
  EXPECT_EQ(p.steps, Steps({"0-20 p10", "20-50 p20", "50-61 d1", "61-72 d1"}));
  EXPECT_EQ(DumpParts(p.done.at(0)), "q0 p20 t0 d22 i30 x0");
}

TEST(PrefillFirst, WithAWatermarkStartsOnlyWhereBlocksStayFree) {
  EnginePolicy policy{.batching = Batching::kPrefillFirst, .watermark = 0.25};
  // Two prompts of 2 blocks leave none of 4, but one must stay free: the second
  // waits until the first is done. Alone it may take all that it needs.
  const Played p =
      Play(OneEngine(policy, 4), {{.input = 8, .output = 2}, {.input = 13}});
  EXPECT_EQ(p.steps, Steps({"0-18 p8", "18-29 d1", "29-52 p13"}));
}

TEST(Priorities, GoFirstAndAreLastToGiveWay) {
  EnginePolicy policy{.max_num_seqs = 1, .by_priority = true};
  const Played p = Play(OneEngine(policy, 20), {{.input = 2, .priority = 2},
                                                {.input = 2, .priority = 1},
                                                {.input = 2, .priority = 0},
                                                {.input = 2, .priority = 1}});
  EXPECT_EQ(p.order, std::vector<int64_t>({2, 1, 3, 0}));
}

TEST(Priorities, TheFirstOfABatchMayBeTheOneToGiveWay) {
  // Both fill the cache; the first needs a block first and is the one to go.
  // The other must run on in the same step.
  EnginePolicy policy{.by_priority = true};
  const Played p =
      Play(OneEngine(policy, 4), {{.input = 8, .output = 2, .priority = 1},
                                  {.input = 8, .output = 3, .priority = 0}});
  EXPECT_EQ(p.steps, Steps({"0-26 p8 p8", "26-37 d1", "37-48 d1", "48-67 p9"}));
  EXPECT_EQ(p.done.at(0).preemptions, 1);
  EXPECT_EQ(p.done.at(1).preemptions, 0);
}

Fleet Speculating(double chance, int64_t drafts) {
  EnginePolicy policy;
  policy.speculation.acceptance.assign(static_cast<size_t>(drafts), chance);
  return OneEngine(policy, 20);
}

TEST(Speculation, WhatIsAlwaysRightComesAtOnce) {
  const Played p = Play(Speculating(1, 3), {{.input = 4, .output = 7}});
  // A step checks 3 drafts and gives 4 tokens; of the last 2 one is a draft.
  EXPECT_EQ(p.steps, Steps({"0-14 p4", "14-28 d1:4", "28-40 d1:2"}));
  // Of 6 gaps, 2 are of steps; the others are none.
  EXPECT_EQ(p.served.gaps.count(), 6);
  EXPECT_DOUBLE_EQ(p.served.gaps.mean_seconds(), 0.026 / 6);
}

TEST(Speculation, WhatIsNeverRightCostsAndGivesNothing) {
  const Played p = Play(Speculating(0, 3), {{.input = 4, .output = 4}});
  EXPECT_EQ(p.steps,
            Steps({"0-14 p4", "14-27 d1:3", "27-39 d1:2", "39-50 d1"}));
  EXPECT_EQ(p.served.tokens, 4);
}

TEST(Speculation, MeanTokensOfAStepAreTheSumOfTheChances) {
  // 1 + 0.5 + 0.25 + 0.125 = 1.875 of a step.
  const Played p = Play(Speculating(0.5, 3), {{.input = 4, .output = 20'000}});
  EXPECT_EQ(p.dropped.size(), 1u);  // 20 blocks
  Fleet fleet = Speculating(0.5, 3);
  fleet.kinds[0].cache.blocks = 10'000;
  const Played q = Play(fleet, {{.input = 4, .output = 20'000}});
  EXPECT_NEAR(20'000 / static_cast<double>(q.served.steps), 1.875, 0.03);
}

TEST(PrefixCaching, ComputesOnlyWhatIsNotThere) {
  Fleet fleet = OneEngine({}, 20);
  fleet.kinds[0].cache.prefix_caching = true;
  const Request first{
      .input = 14, .output = 2, .prefix = {1, 2, 3}, .chunk = 4};
  Request second = first;
  second.arrival = AtMs(100);
  second.prefix = {1, 2, 7};
  const Played p = Play(fleet, {first, second});
  // Two blocks of 4 tokens are there: 6 of 14 to compute.
  EXPECT_EQ(p.steps,
            Steps({"0-24 p14", "24-35 d1", "100-116 p6", "116-127 d1"}));
  EXPECT_EQ(p.done.at(0).cached, 0);
  EXPECT_EQ(p.done.at(1).cached, 8);
}

TEST(PrefixCaching, SharedBlocksTakeNoRoomASecondTime) {
  // 5 blocks: the first holds 4, 3 of them the second's too, which needs one
  // more for itself.
  Fleet fleet = OneEngine({}, 5);
  fleet.kinds[0].cache.prefix_caching = true;
  const Request first{
      .input = 13, .output = 3, .prefix = {1, 2, 3}, .chunk = 4};
  Request second = first;
  second.arrival = AtMs(20);
  const Played p = Play(fleet, {first, second});
  // It starts at the first's next step, at 23, beside it, with one token.
  EXPECT_EQ(p.steps,
            Steps({"0-23 p13", "23-35 p1 d1", "35-47 d2", "47-58 d1"}));
}

TEST(PrefixCaching, OneThatWasPutAsideFindsItsOwnBlocksAgain) {
  Fleet fleet = OneEngine({}, 4);
  fleet.kinds[0].cache.prefix_caching = true;
  const Played p =
      Play(fleet, {{.input = 8, .output = 2},
                   {.input = 8, .output = 2, .prefix = {1, 2}, .chunk = 4}});
  // The second gives its 2 blocks up at 26; the first takes one, overwriting
  // the later half of the second's prompt. 9 - 4 = 5 tokens are computed again.
  EXPECT_EQ(p.steps, Steps({"0-26 p8 p8", "26-37 d1", "37-52 p5"}));
}

TEST(PrefixCaching, BringsBlocksBackFromTheHost) {
  Fleet fleet = OneEngine({}, 4);
  fleet.kinds[0].cache.prefix_caching = true;
  fleet.kinds[0].cache.host_blocks = 4;
  const Request first{.input = 9, .prefix = {1, 2}, .chunk = 4};
  const Request other{.arrival = AtMs(30), .input = 16};
  Request again = first;
  again.arrival = AtMs(100);
  const Played p = Play(fleet, {first, other, again});
  EXPECT_EQ(p.steps, Steps({"0-19 p9", "30-56 p16", "100-111 p1 in8"}));
}

EnginePolicy TwoStages() { return {.max_num_seqs = 2, .microbatches = 2}; }

TEST(Microbatches, PassTheStagesBehindOneAnother) {
  const Played p = Play(OneEngine(TwoStages(), 20),
                        {{.input = 10, .output = 2}, {.input = 5}});
  // Each has one seat. The first takes 20 ms of each stage; the second, 15, is
  // ready for the second stage at 35 and finds it taken until 40. The first's
  // next token: the first stage is free at 40, 11 + 11 = 62.
  EXPECT_EQ(p.steps, Steps({"m0 0-40 p10", "m1 0-55 p5", "m0 40-66 d1"}));
}

TEST(Microbatches, TogetherRunNoMoreThanMayRun) {
  EnginePolicy policy = TwoStages();
  policy.max_num_seqs = 1;
  const Played p = Play(OneEngine(policy, 20), {{.input = 10}, {.input = 10}});
  EXPECT_EQ(p.steps, Steps({"m0 0-40 p10", "m0 40-80 p10"}));
}

TEST(Microbatches, GiveWayToOlderOnesOfOthers) {
  // 4 blocks, 2 for each; at 36 the first needs a third. The second, younger
  // and alone in its microbatch, gives way though its step is in flight.
  const Played p = Play(OneEngine(TwoStages(), 4),
                        {{.input = 8, .output = 3}, {.input = 8}});
  // First: 18 + 18 = 36; the second is through the first stage at 36, through
  // both at 54: for nothing. The first's token has the second stage from 54 to
  // 65, and the next from 76 to 87. The second starts again at 54, but has no
  // room until 87.
  EXPECT_EQ(p.done.at(0).preemptions, 0);
  EXPECT_EQ(p.done.at(1).preemptions, 1);
  EXPECT_EQ(p.steps, Steps({"m0 0-36 p8", "m1 0-54 p8", "m0 36-65 d1",
                            "m0 65-87 d1", "m0 87-123 p8"}));
  EXPECT_EQ(DumpParts(p.done.at(1)), "q0 p36 t0 d0 i0 x87");
}

}  // namespace
}  // namespace sim
