#include "sim/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <vector>

#include "sim/program_check.h"
#include "tests/sim/random_program.h"
#include "tests/sim/small_program.h"

namespace sim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Simulates a program that does not deadlock.
Timeline Simulated(const Program& program, Record record = Record::kEveryRank) {
  EXPECT_EQ(Check(program), absl::OkStatus());
  absl::StatusOr<Timeline> timeline = Simulate(program, record);
  EXPECT_EQ(timeline.status(), absl::OkStatus());
  return *std::move(timeline);
}

std::vector<int64_t> Counts(std::span<const Instant> instants) {
  std::vector<int64_t> counts;
  for (const Instant at : instants) counts.push_back(at.since_start.count());
  return counts;
}
std::vector<int64_t> Starts(const Timeline& t, uint32_t rank = 0) {
  return Counts(t.start(RankId{rank}));
}
std::vector<int64_t> Finishes(const Timeline& t, uint32_t rank = 0) {
  return Counts(t.finish(RankId{rank}));
}

// ------------------------------------------------------------ lanes and waits

TEST(Engine, RunsALaneInOrder) {
  Script s;
  s.Append(Kernel(10));
  s.Append(Kernel(0));
  s.Append(Kernel(5));
  const Timeline t = Simulated(Of({s}));
  EXPECT_THAT(Starts(t), ElementsAre(0, 10, 10));
  EXPECT_THAT(Finishes(t), ElementsAre(10, 10, 15));
  EXPECT_EQ(t.makespan, Picoseconds(15));
  EXPECT_EQ(t.completions, 3);
}

TEST(Engine, RunsLanesSideBySide) {
  Script s;
  s.Append(Kernel(10, {.lane = 0}));
  s.Append(Kernel(7, {.lane = 3}));
  EXPECT_THAT(Starts(Simulated(Of({s}))), ElementsAre(0, 0));
}

TEST(Engine, StartsATaskWhenTheLastOfItsWaitsEnds) {
  Script s;
  const TaskId slow = s.Append(Kernel(10, {.lane = 0}));
  const TaskId fast = s.Append(Kernel(7, {.lane = 1}));
  s.Append(Kernel(1, {.lane = 2}), {{fast, slow}});
  // Its own lane is free at 7; slow ends at 10.
  s.Append(Kernel(1, {.lane = 1}), {{slow}});
  EXPECT_THAT(Starts(Simulated(Of({s}))), ElementsAre(0, 0, 10, 10));
}

TEST(Engine, AnEmptyProgramTakesNoTime) {
  const Timeline t = Simulated(Of({Script()}));
  EXPECT_EQ(t.makespan, Duration());
  EXPECT_EQ(t.done[RankId{0}], Instant());
}

// ----------------------------------------------------------------- the host

TEST(Engine, AKernelWaitsForTheHostToLaunchIt) {
  Script s;
  s.Append(Kernel(1, {.issue = 4}));
  s.Append(Kernel(1, {.issue = 8}));
  s.Append(Kernel(9, {.issue = 12}));
  s.Append(Kernel(1, {.issue = 16}));
  // Launched at 4, 8, 12, 16; the fourth finds its lane busy until 12 + 9.
  EXPECT_THAT(Starts(Simulated(Of({s}))), ElementsAre(4, 8, 12, 21));
}

TEST(Engine, TheHostLaunchesNothingUntilASyncedTaskEnds) {
  Script s;
  s.Append(Kernel(5, {.lane = 1, .issue = 1}));
  s.Append(Kernel(10, {.lane = 0, .host_sync = true}));
  s.Append(Kernel(5, {.lane = 1, .issue = 2}));
  s.Append(Kernel(5, {.lane = 0, .issue = 3}));
  // Lane 1 is free at 6, but the host is held until 10: 10 + 2 and 10 + 3.
  EXPECT_THAT(Starts(Simulated(Of({s}))), ElementsAre(1, 0, 12, 13));
}

TEST(Engine, ALaterSyncDoesNotDelayWhatWasLaunchedBeforeIt) {
  Script s;
  s.Append(Kernel(20, {.lane = 0}));
  s.Append(Kernel(1, {.lane = 0, .issue = 15}));
  s.Append(Kernel(10, {.lane = 1, .host_sync = true}));
  // The sync ends at 10, yet the second task, before it in the script, was
  // launched at 0 + 15 and starts when its lane is free, not at 10 + 15.
  EXPECT_THAT(Starts(Simulated(Of({s}))), ElementsAre(0, 20, 0));
}

// ------------------------------------------------------------ communications

TEST(Engine, ACollectiveStartsAtTheLastArrivalAndTakesTheLongest) {
  Script early, late;
  early.Append(Kernel(3));
  early.Append(Call(kTp, 10));
  late.Append(Kernel(8));
  late.Append(Call(kTp, 4));
  const Timeline t = Simulated(Of({early, late}, {{0, 1}}));
  EXPECT_THAT(Starts(t, 0), ElementsAre(0, 8));
  EXPECT_THAT(Finishes(t, 0), ElementsAre(3, 18));
  EXPECT_THAT(Finishes(t, 1), ElementsAre(8, 18));
  EXPECT_EQ(t.done[RankId{1}].since_start, Picoseconds(18));
}

TEST(Engine, TheSecondCallMeetsTheSecondCall) {
  Script a, b;
  a.Append(Call(kTp, 1));
  a.Append(Kernel(20));
  a.Append(Call(kTp, 2));
  b.Append(Kernel(5));
  b.Append(Call(kTp, 1));
  b.Append(Call(kTp, 2));
  const Timeline t = Simulated(Of({a, b}, {{0, 1}}));
  // First at 5 .. 6; then a computes until 26, and the second is 26 .. 28.
  EXPECT_THAT(Starts(t, 0), ElementsAre(5, 6, 26));
  EXPECT_THAT(Starts(t, 1), ElementsAre(0, 5, 26));
}

TEST(Engine, ARankThatIsLaunchedLateDelaysItsPeers) {
  Script a, b;
  a.Append(Call(kTp, 1));
  b.Append(Call(kTp, 1, {.issue = 9}));
  const Timeline t = Simulated(Of({a, b}, {{0, 1}}));
  EXPECT_THAT(Starts(t, 0), ElementsAre(9));
}

TEST(Engine, ACommunicationWithoutPeersRunsAlone) {
  Script s;
  s.Append(Call(kTp, 6));
  s.Append(Call(kDp, 5));
  // Alone in its tp group, without a dp group.
  EXPECT_THAT(Finishes(Simulated(Of({s}, {{0}}))), ElementsAre(6, 11));
}

TEST(Engine, AChannelMayBeItsEndsDifferentAxes) {
  // Rank 0 sends on tp what rank 1 receives on dp.
  Script sender, receiver;
  sender.Append(Kernel(7));
  sender.Append(Call(kTp, 2));
  receiver.Append(Call(kDp, 2));
  Program program = Of({sender, receiver}, {{0, 1}});
  std::swap(program.groups[1 * 2 + 0], program.groups[1 * 2 + 1]);
  EXPECT_THAT(Starts(Simulated(program), 1), ElementsAre(7));
}

// ---------------------------------------------------------------- contention

TEST(Engine, ACommunicationSlowsTheKernelBesideIt) {
  Script s;
  s.Append(Kernel(1000));
  s.Append(Call(kTp, 512, {.lane = 1, .compute = 512}));
  // 512 ps at half speed do 256 ps of work; the other 744 follow alone.
  EXPECT_THAT(Finishes(Simulated(Of({s}))), ElementsAre(512 + 744, 512));
}

TEST(Engine, OnlyTheResourceThatBindsAKernelSlowsIt) {
  Script s;
  s.Append(Kernel(1000, {}, Resource::kMemory));
  s.Append(Call(kTp, 512, {.lane = 1, .compute = 512, .memory = 256}));
  // 512 ps at 768/1024 do 384 ps of work: 512 + 616.
  EXPECT_THAT(Finishes(Simulated(Of({s}))), ElementsAre(1128, 512));
}

TEST(Engine, WhatCommunicationsTakeAddsUp) {
  Script s;
  s.Append(Kernel(1000));
  s.Append(Call(kTp, 100, {.lane = 1, .compute = 256}));
  s.Append(Call(kDp, 200, {.lane = 2, .compute = 256}));
  // 100 ps at 1/2 do 50, 100 at 3/4 do 75; 875 are left at 200.
  EXPECT_THAT(Finishes(Simulated(Of({s}))), ElementsAre(1075, 100, 200));
}

TEST(Engine, AKernelKeepsASixteenthOfItsSpeed) {
  Script s;
  s.Append(Kernel(1000));
  s.Append(Call(kTp, 160, {.lane = 1, .compute = 1024}));
  // 160 ps at 64/1024 do 10 ps of work.
  EXPECT_THAT(Finishes(Simulated(Of({s}))), ElementsAre(160 + 990, 160));
}

TEST(Engine, ASlowedKernelEndsAtTheNextWholePicosecond) {
  Script s;
  s.Append(Kernel(1));
  s.Append(Call(kTp, 5, {.lane = 1, .compute = 1}));
  // 1024 / 1023 ps, rounded up.
  EXPECT_THAT(Finishes(Simulated(Of({s}))), ElementsAre(2, 5));
}

TEST(Engine, ManyChangesOfSpeedRoundOnlyOnce) {
  Script s;
  s.Append(Kernel(1000));
  for (int i = 0; i < 100; ++i) {
    s.Append(Call(kTp, 1, {.lane = 1, .compute = 1}));
    s.Append(Call(kTp, 2, {.lane = 1}));
  }
  // 100 ps at 1023/1024 lose 100/1024 ps in all: 1000.098 rounds up to 1001.
  EXPECT_EQ(Finishes(Simulated(Of({s})))[0], 1001);
}

TEST(Engine, ACommunicationTakesNothingBeforeItStarts) {
  Script waits, late;
  waits.Append(Kernel(100));
  waits.Append(Call(kTp, 10, {.lane = 1, .compute = 512}));
  late.Append(Kernel(60));
  late.Append(Call(kTp, 10, {.issue = 70}));
  const Timeline t = Simulated(Of({waits, late}, {{0, 1}}));
  // Rank 0 is there at 0, rank 1 at 70: only 70 .. 80 run at half speed.
  EXPECT_THAT(Finishes(t, 0), ElementsAre(105, 80));
}

TEST(Engine, EachKernelOfARowIsSlowedForItsOwnPart) {
  Script s;
  for (int i = 0; i < 4; ++i) s.Append(Kernel(100));
  s.Append(Kernel(150, {.lane = 1}));
  s.Append(Call(kTp, 120, {.lane = 1, .compute = 512}));
  // At half speed from 150 to 270: the second kernel does 60 of the 50 it has
  // left .. that is, it ends at 250, and the third does 10 until 270, then 90.
  EXPECT_THAT(Starts(Simulated(Of({s}))),
              ElementsAre(0, 100, 250, 360, 0, 150));
  EXPECT_THAT(Finishes(Simulated(Of({s}))),
              ElementsAre(100, 250, 360, 460, 150, 270));
}

TEST(Engine, KernelsOnTwoLanesAreEachSlowed) {
  Script s;
  s.Append(Kernel(100, {.lane = 0}));
  s.Append(Kernel(100, {.lane = 3}, Resource::kMemory));
  s.Append(Call(kTp, 100, {.lane = 1, .compute = 512, .memory = 256}));
  EXPECT_THAT(Finishes(Simulated(Of({s}))), ElementsAre(150, 125, 100));
}

// --------------------------------------------------------------------- links

TEST(Engine, TwoCommunicationsOfOneLinkEachTakeTwice) {
  Script s;
  s.Append(Call(kTp, 100, {.lane = 1, .use = UseId{0}}));
  s.Append(Call(kDp, 100, {.lane = 2, .use = UseId{0}}));
  EXPECT_THAT(Finishes(Simulated(WithLinks(Of({s}), {{1024, 0}}))),
              ElementsAre(200, 200));
}

TEST(Engine, WhatEndsFreesItsShare) {
  Script s;
  s.Append(Call(kTp, 100, {.lane = 1, .use = UseId{0}}));
  s.Append(Call(kDp, 300, {.lane = 2, .use = UseId{0}}));
  // By 200 both have done 100; the other 200 of the second follow alone.
  EXPECT_THAT(Finishes(Simulated(WithLinks(Of({s}), {{1024, 0}}))),
              ElementsAre(200, 400));
}

TEST(Engine, LinksThatHaveRoomSlowNobody) {
  Script s;
  s.Append(Call(kTp, 100, {.lane = 1, .use = UseId{0}}));
  s.Append(Call(kDp, 100, {.lane = 2, .use = UseId{0}}));
  s.Append(Call(kDp, 100, {.lane = 2, .use = UseId{1}}));
  // 512 + 512 fill the link; NVLink and NIC are two links.
  EXPECT_THAT(Finishes(Simulated(WithLinks(Of({s}), {{512, 0}, {0, 1024}}))),
              ElementsAre(100, 100, 200));
}

TEST(Engine, ThePaceChangesWhenAnotherStarts) {
  Script s;
  s.Append(Call(kTp, 100, {.lane = 1, .use = UseId{0}}));
  s.Append(Call(kDp, 100, {.lane = 2, .issue = 40, .use = UseId{0}}));
  // 60 are left of the first at 40: 120 at half pace. By 160 the second has
  // done 60.
  EXPECT_THAT(Starts(Simulated(WithLinks(Of({s}), {{1024, 0}}))),
              ElementsAre(0, 40));
  EXPECT_THAT(Finishes(Simulated(WithLinks(Of({s}), {{1024, 0}}))),
              ElementsAre(160, 200));
}

TEST(Engine, TheSlowestMemberSetsThePaceOfAll) {
  Script busy, idle;
  busy.Append(Call(kTp, 100, {.lane = 1, .use = UseId{0}}));
  busy.Append(Call(kDp, 100, {.lane = 2, .use = UseId{0}}));
  idle.Append(Call(kTp, 100, {.lane = 1, .use = UseId{0}}));
  const Timeline t =
      Simulated(WithLinks(Of({busy, idle}, {{0, 1}}), {{1024, 0}}));
  EXPECT_THAT(Finishes(t, 0), ElementsAre(200, 200));
  EXPECT_THAT(Finishes(t, 1), ElementsAre(200));
}

TEST(Engine, ASlowedCommunicationTakesLessMemoryButKeepsItsMultiprocessors) {
  Script s;
  s.Append(Kernel(1000));
  s.Append(Kernel(1000, {.lane = 3}, Resource::kMemory));
  s.Append(Call(kTp, 100, {.lane = 1, .compute = 256, .use = UseId{0}}));
  s.Append(Call(kDp, 100, {.lane = 2, .memory = 512, .use = UseId{0}}));
  // For 200 ps at half pace: the first kernel does 3/4 of 200, and so does the
  // second, from which 512 / 2 parts are taken.
  EXPECT_THAT(Finishes(Simulated(WithLinks(Of({s}), {{1024, 0}}))),
              ElementsAre(1050, 1050, 200, 200));
}

TEST(Engine, ManyChangesOfPaceRoundOnlyOnce) {
  Script s;
  s.Append(Call(kTp, 1000, {.lane = 1, .use = UseId{0}}));
  for (int i = 0; i < 100; ++i) {
    s.Append(Call(kDp, 1, {.lane = 2, .use = UseId{0}}));
    s.Append(Call(kDp, 2, {.lane = 2}));
  }
  // A hundred times 2 ps at half pace: 100 ps lost.
  EXPECT_EQ(Finishes(Simulated(WithLinks(Of({s}), {{1024, 0}})))[0], 1100);
}

// Whatever the paces, a link that some communication waits for is full: two
// lanes of nothing but full use take the sum of all.
TEST(Engine, AFullLinkLosesNoTime) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Dice dice(seed);
    Script s;
    int64_t sum = 0;
    for (int i = 0; i < 20; ++i) {
      const auto ps = static_cast<int64_t>(1 + dice.Below(100));
      sum += ps;
      const AxisId axis = i % 2 == 0 ? kTp : kDp;
      s.Append(
          Call(axis, ps,
               {.lane = static_cast<uint8_t>(1 + i % 2), .use = UseId{0}}));
    }
    const Timeline t = Simulated(WithLinks(Of({s}), {{1024, 0}}));
    EXPECT_EQ(t.makespan, Picoseconds(sum)) << "seed " << seed;
  }
}

// Of one link, by communications that wait for nothing. (Where they do, one
// that ends later may keep another away for longer.)
TEST(Engine, AskingMoreOfOneLinkMakesNothingSooner) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Dice dice(seed);
    Script s;
    std::vector<std::pair<uint16_t, uint16_t>> uses;
    for (uint8_t row = 0; row < 3; ++row) {
      uses.emplace_back(static_cast<uint16_t>(1 + dice.Below(700)), 0);
      s.Append(Call(AxisId{row}, static_cast<int64_t>(1 + dice.Below(1000)),
                    {.lane = row,
                     .issue = static_cast<int64_t>(dice.Below(500)),
                     .use = UseId{row}}));
    }
    Program program = Of({s});
    program.axes.Append("pp");
    program.groups.push_back(kNoGroup);
    const Timeline before = Simulated(WithLinks(program, uses));
    uses[dice.Below(3)].first += 300;
    const Timeline after = Simulated(WithLinks(program, uses));
    for (size_t row = 0; row < 3; ++row) {
      EXPECT_GE(after.finishes[row], before.finishes[row]) << "seed " << seed;
    }
  }
}

TEST(Engine, UsesWithRoomForAllChangeNothing) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const Program off = RandomProgram(seed, {});
    Program on = off;
    on.links.Append("nvlink");
    const LinkUse little[] = {{LinkId{0}, 32}};  // of at most 32 lanes
    on.uses.Append(little);
    for (Script& script : on.scripts) {
      for (Task& task : script.tasks) {
        if (task.axis != kNoAxis) task.use = UseId{0};
      }
    }
    const Timeline a = Simulated(off), b = Simulated(on);
    EXPECT_EQ(a.starts, b.starts) << "seed " << seed;
    EXPECT_EQ(a.finishes, b.finishes) << "seed " << seed;
    EXPECT_EQ(a.done, b.done) << "seed " << seed;
  }
}

// ----------------------------------------------------------------- recording

TEST(Engine, RecordsTheRanksItIsAskedTo) {
  Script s;
  s.Append(Kernel(10));
  s.Append(Call(kTp, 1));
  Program program = Of({s, s, s}, {{0, 1, 2}});
  program.script[RankId{2}] = program.script[RankId{1}];

  const Timeline every = Simulated(program, Record::kEveryRank);
  for (const uint32_t rank : {0u, 1u, 2u}) {
    EXPECT_THAT(Finishes(every, rank), ElementsAre(10, 11));
  }
  const Timeline first = Simulated(program, Record::kFirstOfEachScript);
  EXPECT_THAT(Finishes(first, 0), ElementsAre(10, 11));
  EXPECT_THAT(Finishes(first, 1), ElementsAre(10, 11));
  EXPECT_THAT(Finishes(first, 2), IsEmpty());
  const Timeline nothing = Simulated(program, Record::kNothing);
  EXPECT_THAT(Finishes(nothing, 0), IsEmpty());
  EXPECT_EQ(nothing.done, every.done);
  EXPECT_EQ(nothing.completions, 6);
}

TEST(Engine, RecordingChangesNoTime) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const Program program = RandomProgram(seed, {});
    EXPECT_EQ(Simulated(program, Record::kNothing).done,
              Simulated(program, Record::kEveryRank).done)
        << "seed " << seed;
  }
}

// ---------------------------------------------------------------- properties

// The same program with ranks and lanes numbered the other way round, which
// turns round the order of all events of one instant.
Program Mirror(const Program& program) {
  Program mirror = program;
  const size_t ranks = program.script.size(), axes = program.axes.size();
  const auto turn = [ranks](RankId rank) {
    return AsId<RankId>(ranks - 1 - Row(rank));
  };
  mirror.members = {};
  for (size_t row = program.members.size(); row-- > 0;) {
    std::vector<RankId> members;
    for (const RankId rank : program.members[AsId<GroupId>(row)]) {
      members.push_back(turn(rank));
    }
    mirror.members.Append(members);
  }
  for (size_t row = 0; row < ranks; ++row) {
    const RankId from = AsId<RankId>(row), to = turn(from);
    mirror.script[to] = program.script[from];
    for (size_t axis = 0; axis < axes; ++axis) {
      const GroupId group = program.group(from, AsId<AxisId>(axis));
      mirror.groups[Row(to) * axes + axis] =
          group == kNoGroup
              ? kNoGroup
              : AsId<GroupId>(program.members.size() - 1 - Row(group));
    }
  }
  for (Script& script : mirror.scripts) {
    for (Task& task : script.tasks) {
      task.lane = AsId<LaneId>(program.lanes.size() - 1 - Row(task.lane));
    }
  }
  return mirror;
}

TEST(Engine, TheOrderOfEventsAtOneInstantDoesNotMatter) {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const Program program = RandomProgram(seed, {.links = seed % 2 == 0});
    const Timeline t = Simulated(program),
                   mirrored = Simulated(Mirror(program));
    const auto ranks = static_cast<uint32_t>(program.script.size());
    for (uint32_t rank = 0; rank < ranks; ++rank) {
      EXPECT_EQ(Starts(t, rank), Starts(mirrored, ranks - 1 - rank));
      EXPECT_EQ(Finishes(t, rank), Finishes(mirrored, ranks - 1 - rank));
    }
    if (HasFailure()) FAIL() << "seed " << seed;
  }
}

// Without contention every time is a maximum of sums of durations. With it the
// claim is false: a faster kernel can bring a communication forward, beside a
// kernel that the step hangs on.
TEST(Engine, AFasterTaskMakesNothingLaterWithoutContention) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Program program = RandomProgram(seed, {.contention = false});
    const Timeline before = Simulated(program);
    Dice dice(seed);
    for (Script& script : program.scripts) {
      if (script.tasks.empty()) continue;
      Task& task = script.tasks[AsId<TaskId>(dice.Below(script.tasks.size()))];
      task.duration = Picoseconds(task.duration.count() / 2);
    }
    const Timeline after = Simulated(program);
    for (size_t row = 0; row < before.finishes.size(); ++row) {
      EXPECT_LE(after.finishes[row], before.finishes[row]);
    }
    if (HasFailure()) FAIL() << "seed " << seed;
  }
}

}  // namespace
}  // namespace sim
