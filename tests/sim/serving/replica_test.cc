// Timelines of one engine, worked out by hand: a step takes 10 ms, and 1 ms for
// each of its tokens.
#include "sim/serving/replica.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/sim/serving/small_serving.h"

namespace sim {
namespace {

using Steps = std::vector<std::string>;

TEST(Replica, ComputesAPromptThenOneTokenAStep) {
  const Played p = Play(OneEngine({}, 10), {{.input = 20, .output = 3}});
  // The prompt: 10 + 20 = 30 ms, and the first token. Then 11 ms for each.
  EXPECT_EQ(p.steps, Steps({"0-30 p20", "30-41 d1", "41-52 d1"}));
  EXPECT_EQ(p.done.at(0).first_token, AtMs(30));
  EXPECT_EQ(p.done.at(0).finish, AtMs(52));
  EXPECT_EQ(DumpParts(p.done.at(0)), "q0 p30 t0 d22 i0 x0");
  EXPECT_EQ(p.served.tokens, 3);
  EXPECT_EQ(p.served.gaps.count(), 2);
}

TEST(Replica, OneTokenInAndOneOutIsOneStep) {
  const Played p = Play(OneEngine({}, 10), {{.input = 1, .output = 1}});
  EXPECT_EQ(p.steps, Steps({"0-11 p1"}));
  EXPECT_EQ(p.done.at(0).finish, AtMs(11));
  EXPECT_EQ(p.served.gaps.count(), 0);
}

TEST(Replica, MixesPromptsIntoTheStepsOfThoseThatDecode) {
  const Played p =
      Play(OneEngine({}, 20),
           {{.input = 10, .output = 4}, {.arrival = AtMs(25), .input = 20}});
  // The second arrives in the step from 20 to 31 and starts behind it: 10 + 1 +
  // 20 = 31 ms, of which its prompt adds 20 to the first's token.
  EXPECT_EQ(p.steps,
            Steps({"0-20 p10", "20-31 d1", "31-62 p20 d1", "62-73 d1"}));
  EXPECT_EQ(DumpParts(p.done.at(0)), "q0 p20 t0 d33 i20 x0");
  EXPECT_EQ(DumpParts(p.done.at(1)), "q6 p31 t0 d0 i0 x0");
}

TEST(Replica, CutsPromptsToFillAStep) {
  const Played p =
      Play(OneEngine({.max_num_batched_tokens = 16}, 20),
           {{.input = 20, .output = 3}, {.input = 10, .output = 2}});
  // 16 of the first prompt; then its other 4, and 10 of the 12 tokens left.
  EXPECT_EQ(p.steps,
            Steps({"0-26 p16", "26-50 p4 p10", "50-62 d2", "62-73 d1"}));
  EXPECT_EQ(DumpParts(p.done.at(0)), "q0 p50 t0 d23 i0 x0");
  EXPECT_EQ(DumpParts(p.done.at(1)), "q26 p24 t0 d12 i0 x0");
}

TEST(Replica, DecodesBeforeItGoesOnWithPrompts) {
  const Played p = Play(OneEngine({.max_num_batched_tokens = 5}, 20),
                        {{.input = 4, .output = 4}, {.input = 8}});
  // One token of each step is the first's, once it has its prompt: the second
  // gets 1, then 4 and the last 3.
  EXPECT_EQ(p.steps,
            Steps({"0-15 p4 p1", "15-30 p4 d1", "30-44 p3 d1", "44-55 d1"}));
}

TEST(Replica, LimitsTheChunksOfOnePrompt) {
  const Played p = Play(OneEngine({.longest_chunk = 8}, 20),
                        {{.input = 20}, {.input = 3, .output = 2}});
  // The short prompt need not wait for the long one.
  EXPECT_EQ(p.steps, Steps({"0-21 p8 p3", "21-40 p8 d1", "40-54 p4"}));
}

TEST(Replica, WithoutChunksAPromptWaitsForAStepThatHoldsIt) {
  const Played p = Play(
      OneEngine({.chunked_prefill = false, .max_num_batched_tokens = 20}, 40),
      {{.input = 12, .output = 2}, {.input = 12, .output = 2}});
  EXPECT_EQ(p.steps, Steps({"0-22 p12", "22-45 p12 d1", "45-56 d1"}));
}

TEST(Replica, WithoutChunksALimitOnThemHoldsNothingBack) {
  const Played p =
      Play(OneEngine({.chunked_prefill = false, .longest_chunk = 8}, 20),
           {{.input = 12}});
  EXPECT_EQ(p.steps, Steps({"0-22 p12"}));
}

TEST(Replica, RunsNoMoreSequencesThanItMay) {
  const Played p = Play(OneEngine({.max_num_seqs = 1}, 20),
                        {{.input = 5, .output = 2}, {.input = 5}});
  EXPECT_EQ(p.steps, Steps({"0-15 p5", "15-26 d1", "26-41 p5"}));
  EXPECT_EQ(DumpParts(p.done.at(1)), "q26 p15 t0 d0 i0 x0");
}

TEST(Replica, PutsTheLastAsideAndComputesItAgain) {
  // 4 blocks of 4 tokens; two prompts of 8 take all of them, and the first's
  // ninth token has no room until the second is put aside.
  const Played p = Play(OneEngine({}, 4),
                        {{.input = 8, .output = 3}, {.input = 8, .output = 2}});
  // Prompts: 26 ms. The first alone: 11 and 11 more. The second comes back when
  // all is done, with 9 tokens to compute: 19 ms.
  EXPECT_EQ(p.steps, Steps({"0-26 p8 p8", "26-37 d1", "37-48 d1", "48-67 p9"}));
  EXPECT_EQ(p.done.at(1).preemptions, 1);
  EXPECT_EQ(p.served.preemptions, 1);
  EXPECT_EQ(DumpParts(p.done.at(1)), "q0 p26 t0 d0 i0 x41");
  EXPECT_EQ(p.served.tokens, 5);
}

TEST(Replica, SwapsToTheHostAndBack) {
  const Played p = Play(OneEngine({.preemption = Preemption::kSwap}, 4),
                        {{.input = 8, .output = 3}, {.input = 8, .output = 2}});
  // As before, but 8 tokens go out, and come back with one to compute.
  EXPECT_EQ(p.steps,
            Steps({"0-26 p8 p8", "26-37 d1 out8", "37-48 d1", "48-59 d1 in8"}));
  EXPECT_EQ(DumpParts(p.done.at(1)), "q0 p26 t0 d0 i0 x33");
}

TEST(Replica, ReservesTheAnswerSoThatNoneIsPutAside) {
  // 8 + 3 tokens take 3 of the 4 blocks: the second waits.
  const Played p = Play(OneEngine({.reservation = Reservation::kOutput}, 4),
                        {{.input = 8, .output = 3}, {.input = 8, .output = 2}});
  EXPECT_EQ(p.steps,
            Steps({"0-18 p8", "18-29 d1", "29-40 d1", "40-58 p8", "58-69 d1"}));
  EXPECT_EQ(p.served.preemptions, 0);
}

TEST(Replica, ReservesWhatARequestMayGenerate) {
  // 8 + 9 tokens, of which 2 are generated, take 5 blocks: not with another's 3
  // in 7.
  const Played p = Play(
      OneEngine({.reservation = Reservation::kOutput}, 7),
      {{.input = 8, .output = 2}, {.input = 8, .output = 2, .most_output = 9}});
  EXPECT_EQ(p.steps, Steps({"0-18 p8", "18-29 d1", "29-47 p8", "47-58 d1"}));
}

TEST(Replica, WhatItReservesEndsAtTheLongestSequence) {
  const Played p = Play(
      OneEngine({.max_model_len = 12, .reservation = Reservation::kOutput}, 3),
      {{.input = 8, .output = 2, .most_output = 100}});
  EXPECT_EQ(p.done.count(0), 1u);
}

TEST(Replica, RefusesWhatCanNeverFit) {
  // 20 tokens of room: the last token of an answer takes none.
  const Played p = Play(OneEngine({}, 5), {{.input = 16, .output = 5},
                                           {.input = 16, .output = 6}});
  EXPECT_EQ(p.done.count(0), 1u);
  EXPECT_EQ(p.dropped.at(1), Drop::kTooLong);
}

TEST(Replica, WithoutChunksRefusesPromptsLongerThanAStep) {
  const std::vector<Request> requests = {
      {.input = 16, .output = 5}, {.input = 17}, {.input = 10, .output = 7}};
  EnginePolicy policy{.chunked_prefill = false, .max_num_batched_tokens = 16};
  // Put aside at its end the first has 20 tokens to compute at once, the
  // last 16.
  EXPECT_EQ(Play(OneEngine(policy, 20), requests).order,
            std::vector<int64_t>({2}));
  policy.preemption = Preemption::kSwap;  // never computed again
  EXPECT_EQ(Play(OneEngine(policy, 20), requests).done.count(0), 1u);
  policy.preemption = Preemption::kRecompute;
  policy.reservation = Reservation::kOutput;
  const Played p = Play(OneEngine(policy, 20), requests);
  EXPECT_EQ(p.done.count(0), 1u);
  EXPECT_EQ(p.dropped.at(1), Drop::kTooLong);
}

}  // namespace
}  // namespace sim
