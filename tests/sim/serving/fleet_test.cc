// Fleets, worked out by hand: a step takes 10 ms and 1 ms for each of its
// tokens; of keys and values a port moves a token in 1 ms.
#include "sim/serving/fleet.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/serving/small_serving.h"

namespace sim {
namespace {

using Steps = std::vector<std::string>;
using Texts = std::vector<std::string>;

Fleet TwoEngines(int64_t blocks = 20) {
  Fleet fleet = OneEngine({}, blocks);
  fleet.replicas = {0, 0};
  return fleet;
}

// Engines for prompts first, then those for answers.
Fleet Split(size_t prompts, size_t answers, int64_t blocks = 20) {
  Fleet fleet{.kinds = {SmallKind({}, blocks, Role::kPrefill),
                        SmallKind({}, blocks, Role::kDecode)}};
  fleet.replicas.assign(prompts, 0);
  fleet.replicas.insert(fleet.replicas.end(), answers, 1);
  return fleet;
}

TEST(Fleet, SpreadsRequestsOverItsEngines) {
  const Played p = Play(TwoEngines(), {{.input = 4}, {.input = 6}});
  EXPECT_EQ(p.steps, Steps({"e0 0-14 p4", "e1 0-16 p6"}));
  EXPECT_EQ(p.served.end, AtMs(16));
  EXPECT_DOUBLE_EQ(p.served.replica_seconds, 0.032);
}

TEST(Fleet, RequestsPassTheFrontEndOneByOne) {
  Fleet fleet = OneEngine({}, 20);
  fleet.request_overhead = Milliseconds(5);
  fleet.kinds[0].admit_token = Milliseconds(2);
  const Played p = Play(fleet, {{.input = 10}, {.input = 4}});
  // There after 5 ms; through at 5 + 2 * 10 = 25 and 25 + 2 * 4 = 33 ms, when
  // the first one's step is under way.
  EXPECT_EQ(p.steps, Steps({"25-45 p10", "45-59 p4"}));
  EXPECT_EQ(DumpParts(p.done.at(0)), "q25 p20 t0 d0 i0 x0");
}

TEST(Fleet, ServesEachModelOnItsOwnEngines) {
  Fleet fleet = TwoEngines();
  fleet.kinds.push_back(SmallKind({}, 20));
  fleet.kinds[1].model = 1;
  fleet.replicas = {0, 1};
  const Played p = Play(fleet, {{.input = 4, .model = 1},
                                {.input = 4, .model = 1},
                                {.input = 5, .model = 0},
                                {.input = 5, .model = 2}});
  EXPECT_EQ(p.steps, Steps({"e0 0-15 p5", "e1 0-18 p4 p4"}));
  EXPECT_EQ(p.dropped.at(3), Drop::kTooLong);
}

TEST(Fleet, RefusesWhatFindsAllQueuesFull) {
  Fleet fleet = OneEngine({.max_num_seqs = 1}, 20);
  fleet.max_waiting = 1;
  // One runs, one waits, one is refused; after the first is done one may wait.
  const Played p = Play(fleet, {{.input = 4, .output = 2},
                                {.arrival = AtMs(1), .input = 4},
                                {.arrival = AtMs(2), .input = 4},
                                {.arrival = AtMs(30), .input = 4}});
  EXPECT_EQ(p.order, std::vector<int64_t>({0, 1, 3}));
  EXPECT_EQ(p.dropped.at(2), Drop::kQueueFull);
}

TEST(Fleet, AClosedLoopGoesOnAlsoAfterARefusal) {
  int left = 3;
  Workload workload(
      [first = true]() mutable -> std::optional<Request> {
        if (!first) return std::nullopt;
        first = false;
        return Request{.input = 4};
      },
      [&left](const Request&, Instant now) -> std::optional<Request> {
        if (left-- == 0) return std::nullopt;
        return Request{.arrival = now, .input = left == 1 ? 1000 : 4};
      });
  const Played p = Play(OneEngine({}, 20), std::move(workload));
  // The third of four is too long.
  EXPECT_EQ(p.steps, Steps({"0-14 p4", "14-28 p4", "28-42 p4"}));
  EXPECT_EQ(p.served.arrived, 4);
  EXPECT_EQ(p.dropped.at(2), Drop::kTooLong);
}

TEST(Fleet, WhatIsNotDoneWhenTheClockStopsIsDropped) {
  Fleet fleet = OneEngine({}, 20);
  fleet.most = Milliseconds(20);
  const Played p = Play(fleet, {{.input = 4, .output = 9}});
  EXPECT_EQ(p.dropped.at(0), Drop::kUnserved);
  EXPECT_EQ(p.served.tokens, 1);
  EXPECT_EQ(p.served.lost_tokens, 1);
  EXPECT_EQ(p.served.end, AtMs(20));
}

TEST(Disaggregation, HandsKeysAndValuesOn) {
  const Played p = Play(Split(1, 1), {{.input = 10, .output = 3}});
  // Ten tokens are computed at 20, and there at 30.
  EXPECT_EQ(p.steps, Steps({"e0 0-20 p10", "e1 30-41 d1", "e1 41-52 d1"}));
  EXPECT_EQ(p.transfers, Texts({"20-30 0>1"}));
  EXPECT_EQ(DumpParts(p.done.at(0)), "q0 p20 t10 d22 i0 x0");
}

TEST(Disaggregation, OneTokenIsAnsweredByTheEngineForPrompts) {
  const Played p = Play(Split(1, 1), {{.input = 10}});
  EXPECT_EQ(p.steps, Steps({"e0 0-20 p10"}));
  EXPECT_EQ(p.transfers, Texts({}));
}

TEST(Disaggregation, TransfersWaitForThePortsOfBothEnds) {
  // Both prompts end at 24; engines 0 and 1 send to 2, one after the other.
  const Played p = Play(
      Split(2, 1), {{.input = 14, .output = 2}, {.input = 14, .output = 2}});
  EXPECT_EQ(p.transfers, Texts({"24-38 0>2", "38-52 1>2"}));
  EXPECT_EQ(p.steps, Steps({"e0 0-24 p14", "e1 0-24 p14", "e2 38-49 d1",
                            "e2 52-63 d1"}));
  EXPECT_EQ(DumpParts(p.done.at(1)), "q0 p24 t28 d11 i0 x0");
}

TEST(Disaggregation, WhatIsOnItsWayCountsForTheRouter) {
  // Handed on at once, they go to different engines.
  const Played p =
      Play(Split(1, 2), {{.input = 5, .output = 2}, {.input = 5, .output = 2}});
  EXPECT_EQ(p.transfers, Texts({"20-25 0>1", "25-30 0>2"}));
}

TEST(Disaggregation, WaitingForRoomThereIsOfTheTransfer) {
  Fleet fleet = Split(1, 1);
  fleet.kinds[1].policy.max_num_seqs = 1;
  const Played p =
      Play(fleet, {{.input = 5, .output = 3}, {.input = 5, .output = 2}});
  // The first decodes from 25 to 47; the second is there at 30 and waits.
  EXPECT_EQ(p.steps, Steps({"e0 0-20 p5 p5", "e1 25-36 d1", "e1 36-47 d1",
                            "e1 47-58 d1"}));
  EXPECT_EQ(DumpParts(p.done.at(1)), "q0 p20 t27 d11 i0 x0");
}

TEST(Disaggregation, RefusesBeforeThePromptWhatNoEngineCanFinish) {
  Fleet fleet = Split(1, 1, 5);
  const Played p =
      Play(fleet, {{.input = 12, .output = 10}, {.input = 12, .output = 9}});
  EXPECT_EQ(p.dropped.at(0), Drop::kTooLong);  // 21 of 20 tokens
  EXPECT_EQ(p.served.lost_tokens, 0);
  EXPECT_EQ(p.order, std::vector<int64_t>({1}));
}

TEST(Disaggregation, ATransferIsLostWithEitherEnd) {
  for (const size_t failed : {size_t{0}, size_t{2}}) {
    Fleet fleet = Split(2, 2);
    fleet.failures = {{.replica = failed, .at = AtMs(25), .lasts = Seconds(9)}};
    const Played p = Play(fleet, {{.input = 10, .output = 3}});
    // From engine 0 to 2 from 20 on, would be there at 30, is not. The prompt
    // and the first token are computed again, on the engine for prompts that is
    // up and least busy: 10 + 11 = 21 ms, then to the first for answers.
    const std::string from = failed == 0 ? "1" : "0";
    const std::string to = failed == 0 ? "2" : "3";
    EXPECT_EQ(p.transfers, Texts({"20-30 0>2", "51-62 " + from + ">" + to}));
    EXPECT_EQ(p.steps, Steps({"e0 0-20 p10", "e" + from + " 30-51 p11",
                              "e" + to + " 62-73 d1"}));
    // In transfer from 20 to 25 and 51 to 62; lost from 25 to 51.
    EXPECT_EQ(DumpParts(p.done.at(0)), "q0 p20 t16 d11 i0 x26");
    EXPECT_EQ(p.served.tokens, 3);
  }
}

TEST(Failures, RequestsAreComputedAgainElsewhere) {
  Fleet fleet = TwoEngines();
  fleet.failures = {{.replica = 0, .at = AtMs(25), .lasts = Seconds(1)}};
  const Played p = Play(fleet, {{.input = 10, .output = 3}});
  // At 25 the second token is under way; the first and the prompt are computed
  // again: 21 ms.
  EXPECT_EQ(p.steps, Steps({"e0 0-20 p10", "e1 25-46 p11", "e1 46-57 d1"}));
  EXPECT_EQ(DumpParts(p.done.at(0)), "q0 p20 t0 d16 i0 x21");
  EXPECT_EQ(p.engines, Texts({"0 +0", "0 +1", "25 -0"}));
  EXPECT_EQ(p.served.end, AtMs(57));  // not when the engine comes back
}

TEST(Failures, WithAllEnginesDownRequestsWait) {
  Fleet fleet = OneEngine({}, 20);
  fleet.failures = {{.replica = 0, .at = AtMs(5), .lasts = Milliseconds(95)}};
  const Played p =
      Play(fleet, {{.input = 10}, {.arrival = AtMs(50), .input = 4}});
  // The step that failed is forgotten: its stage is free at 100.
  EXPECT_EQ(p.steps, Steps({"100-124 p10 p4"}));
  EXPECT_EQ(DumpParts(p.done.at(0)), "q0 p5 t0 d0 i0 x119");
  EXPECT_EQ(DumpParts(p.done.at(1)), "q50 p24 t0 d0 i0 x0");
  EXPECT_DOUBLE_EQ(p.served.replica_seconds, 0.005 + 0.024);
}

TEST(Failures, NoStepIsBehindOneThatFailed) {
  Fleet fleet = OneEngine({}, 20);
  fleet.failures = {{.replica = 0, .at = AtMs(5), .lasts = Milliseconds(1)}};
  EXPECT_EQ(Play(fleet, {{.input = 15}}).steps, Steps({"6-31 p15"}));
}

TEST(Failures, TheCacheIsLost) {
  Fleet fleet = OneEngine({}, 20);
  fleet.kinds[0].cache.prefix_caching = true;
  fleet.failures = {{.replica = 0, .at = AtMs(50), .lasts = Milliseconds(1)}};
  const Request r{.input = 9, .prefix = {1, 2}, .chunk = 4};
  Request before = r, after = r;
  before.arrival = AtMs(30);
  after.arrival = AtMs(60);
  EXPECT_EQ(Play(fleet, {r, before, after}).steps,
            Steps({"0-19 p9", "30-41 p1", "60-79 p9"}));
}

TEST(Failures, ThatOverlapLastUntilTheLaterEnd) {
  Fleet fleet = OneEngine({}, 20);
  fleet.failures = {{.replica = 0, .at = AtMs(5), .lasts = Milliseconds(20)},
                    {.replica = 0, .at = AtMs(10), .lasts = Milliseconds(40)}};
  const Played p = Play(fleet, {{.input = 4}});
  EXPECT_EQ(p.engines, Texts({"0 +0", "5 -0", "50 +0"}));
  EXPECT_EQ(p.steps, Steps({"50-64 p4"}));
}

TEST(Failures, ARequestWaitsForTheOnlyEngineThatCanHoldIt) {
  Fleet fleet = TwoEngines();
  fleet.kinds.push_back(SmallKind({}, 2));
  fleet.replicas = {1, 0};
  fleet.failures = {{.replica = 1, .at = AtMs(0), .lasts = Milliseconds(30)}};
  const Played p = Play(fleet, {{.arrival = AtMs(1), .input = 20}});
  EXPECT_EQ(p.steps, Steps({"e1 30-60 p20"}));
}

Fleet Scaling(int64_t least, int64_t most) {
  Fleet fleet = OneEngine({.max_num_seqs = 1}, 20);
  fleet.kinds[0].cold_start = Milliseconds(40);
  fleet.autoscaling = {.target_outstanding = 2,
                       .least = least,
                       .most = most,
                       .interval = Milliseconds(10),
                       .patience = Milliseconds(50)};
  return fleet;
}

TEST(Autoscaling, StartsEnginesThatServeAfterTheirColdStart) {
  const Played p = Play(Scaling(1, 2), {{.input = 5, .output = 4},
                                        {.input = 5, .output = 2},
                                        {.input = 5, .output = 2},
                                        {.arrival = AtMs(45), .input = 5}});
  // Three requests want two engines at 0; the second serves from 40 on. What
  // waits stays where it is. From 60 on one engine would do; at 100, 50 ms
  // after the last look that wanted two, the second leaves.
  EXPECT_EQ(p.engines, Texts({"0 +0", "40 +1", "100 -1"}));
  EXPECT_EQ(p.steps, Steps({"e0 0-15 p5", "e0 15-26 d1", "e0 26-37 d1",
                            "e0 37-48 d1", "e1 45-60 p5", "e0 48-63 p5",
                            "e0 63-74 d1", "e0 74-89 p5", "e0 89-100 d1"}));
}

TEST(Autoscaling, StopsAnEngineOnceItIsEmpty) {
  Fleet fleet = Scaling(1, 2);
  fleet.replicas = {0, 0};
  const Played p = Play(fleet, {{.input = 5},
                                {.arrival = AtMs(45), .input = 5, .output = 9},
                                {.arrival = AtMs(46), .input = 5, .output = 5},
                                {.arrival = AtMs(200), .input = 5}});
  // Too few from 0 on: at 50 engine 1 is to leave, and does when its answer is
  // there: 46 + 15 + 4 * 11 = 105.
  EXPECT_EQ(p.engines, Texts({"0 +0", "0 +1", "105 -1"}));
}

TEST(Autoscaling, FromNoneARequestStartsOne) {
  Fleet fleet = Scaling(0, 1);
  const Played p = Play(fleet, {{.arrival = AtMs(95), .input = 5}});
  // Nobody at 0: the engine leaves at 50. The look at 100 finds a request.
  EXPECT_EQ(p.engines, Texts({"0 +0", "50 -0", "140 +1"}));
  EXPECT_EQ(p.steps, Steps({"e1 140-155 p5"}));
  EXPECT_DOUBLE_EQ(p.served.replica_seconds, 0.050 + 0.055);
}

TEST(Autoscaling, AFailureWakesNoEngineThatHasStopped) {
  Fleet fleet = Scaling(0, 1);
  fleet.failures = {{.replica = 0, .at = AtMs(60), .lasts = Milliseconds(10)},
                    {.replica = 7, .at = AtMs(60), .lasts = Milliseconds(10)}};
  const Played p = Play(fleet, {{.arrival = AtMs(95), .input = 5}});
  EXPECT_EQ(p.engines, Texts({"0 +0", "50 -0", "140 +1"}));
}

}  // namespace
}  // namespace sim
