#include "sim/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <set>
#include <vector>

#include "sim/program.h"
#include "sim/units.h"

namespace sim {
namespace {

using ::testing::ElementsAre;

constexpr HolderId kWeights{0}, kActivations{1};

MemoryStep Take(uint32_t task, uint32_t buffer, Bytes bytes,
                HolderId holder = kActivations) {
  return {TaskId{task}, BufferId{buffer}, bytes, holder};
}
MemoryStep Drop(uint32_t task, uint32_t buffer) {
  return {TaskId{task}, BufferId{buffer}, Bytes(0), kActivations};
}
Script Of(std::vector<MemoryStep> steps) {
  Script script;
  script.memory = std::move(steps);
  return script;
}

// Weights of 100 MiB; task 1 reads activation 1 and makes 2, task 2 reads 2 and
// makes 3, task 3 frees what is left.
Script TwoLayers() {
  return Of({Take(0, 0, MiB(100), kWeights), Take(0, 1, MiB(40)),
             Take(1, 2, MiB(60)), Drop(1, 1), Take(2, 3, MiB(30)), Drop(2, 2),
             Drop(3, 3)});
}

TEST(Ledger, TheInputAndTheOutputOfATaskAreThereTogether) {
  const Ledger ledger = Replay(TwoLayers(), 2);
  // Task 1: 100 + 40 + 60 = 200 MiB; task 2 has 100 + 60 + 30 = 190.
  EXPECT_EQ(ledger.allocated.task, TaskId{1});
  EXPECT_EQ(ledger.allocated.bytes, MiB(200));
  // The 30 MiB come from the 40 that task 1 left: nothing more is reserved.
  EXPECT_EQ(ledger.reserved.task, TaskId{1});
  EXPECT_EQ(ledger.reserved.bytes, MiB(200));
}

TEST(Ledger, HoldersAreThoseOfThePeakAndSumToIt) {
  const Ledger ledger = Replay(TwoLayers(), 2);
  EXPECT_EQ(ledger.held[kWeights], MiB(100));
  EXPECT_EQ(ledger.held[kActivations], MiB(40 + 60));
}

TEST(Ledger, NamesTheLargestBuffersOfThePeakLargestFirst) {
  const Ledger ledger = Replay(TwoLayers(), 2, {.largest = 2});
  ASSERT_EQ(ledger.largest.size(), 2);
  EXPECT_EQ(ledger.largest[0].buffer, BufferId{0});
  EXPECT_EQ(ledger.largest[0].holder, kWeights);
  EXPECT_EQ(ledger.largest[1].buffer, BufferId{2});
  EXPECT_EQ(ledger.largest[1].since, TaskId{1});
  EXPECT_EQ(ledger.largest[1].bytes, MiB(60));
}

TEST(Ledger, TheCurveIsWhatEachTaskSees) {
  const Ledger ledger = Replay(TwoLayers(), 2, {.curve = true});
  EXPECT_THAT(ledger.curve,
              ElementsAre(MemoryPoint{TaskId{0}, MiB(140), MiB(140)},
                          MemoryPoint{TaskId{1}, MiB(200), MiB(200)},
                          // 200 - 40 + 30
                          MemoryPoint{TaskId{2}, MiB(190), MiB(200)},
                          MemoryPoint{TaskId{3}, MiB(130), MiB(200)},
                          MemoryPoint{TaskId{4}, MiB(100), MiB(200)}));
}

TEST(Ledger, ATaskThatChangesNothingHasNoPoint) {
  // Task 1 gives back what task 0 took and takes as much.
  const Ledger ledger =
      Replay(Of({Take(0, 0, MiB(10)), Drop(0, 0), Take(1, 1, MiB(10))}), 2,
             {.curve = true});
  EXPECT_THAT(ledger.curve,
              ElementsAre(MemoryPoint{TaskId{0}, MiB(10), MiB(10)}));
}

TEST(Ledger, AllocatedAndReservedPeakAtTimesOfTheirOwn) {
  // 10 x 2 MiB in one segment of 20; every other one goes, and 3 MiB fit in
  // none of the holes: reserved 40 MiB at task 2, allocated 20 MiB at task 0.
  std::vector<MemoryStep> steps;
  for (uint32_t b = 0; b < 10; ++b) steps.push_back(Take(0, b, MiB(2)));
  for (uint32_t b = 0; b < 10; b += 2) steps.push_back(Drop(1, b));
  steps.push_back(Take(2, 10, MiB(3)));
  const Ledger ledger = Replay(Of(steps), 2);
  EXPECT_EQ(ledger.allocated.task, TaskId{0});
  EXPECT_EQ(ledger.allocated.bytes, MiB(20));
  EXPECT_EQ(ledger.reserved.task, TaskId{2});
  EXPECT_EQ(ledger.reserved.bytes, MiB(40));
}

TEST(Ledger, AScriptWithoutMemoryHasNoPeak) {
  const Ledger ledger = Replay(Of({}), 2, {.curve = true});
  EXPECT_EQ(ledger.allocated.bytes, Bytes(0));
  EXPECT_EQ(ledger.held[kWeights], Bytes(0));
  EXPECT_TRUE(ledger.largest.empty());
  EXPECT_TRUE(ledger.curve.empty());
}

TEST(Ledger, PeaksHoldersAndCurveAgreeOnRandomScripts) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    std::vector<MemoryStep> steps;
    std::set<uint32_t> live;
    uint32_t buffers = 0;
    for (uint32_t task = 0; task < 200; ++task) {
      for (uint64_t n = random() % 3; n > 0; --n) {
        const int64_t bytes = 1 + static_cast<int64_t>(random() % (32 << 20));
        steps.push_back(
            Take(task, buffers, Bytes(bytes), HolderId(random() % 2)));
        live.insert(buffers++);
      }
      for (uint64_t n = random() % 3; n > 0 && !live.empty(); --n) {
        const uint32_t victim = *live.begin();
        steps.push_back(Drop(task, victim));
        live.erase(victim);
      }
    }
    const Ledger ledger =
        Replay(Of(steps), 2, {.largest = buffers, .curve = true});
    EXPECT_EQ(ledger.held[kWeights] + ledger.held[kActivations],
              ledger.allocated.bytes);
    Bytes largest;
    for (const LiveBuffer& buffer : ledger.largest) largest += buffer.bytes;
    EXPECT_EQ(largest, ledger.allocated.bytes);
    MemoryPeak allocated, reserved;
    for (const MemoryPoint& point : ledger.curve) {
      EXPECT_LE(point.allocated, point.reserved);
      if (point.allocated > allocated.bytes) {
        allocated = {point.task, point.allocated};
      }
      if (point.reserved > reserved.bytes) {
        reserved = {point.task, point.reserved};
      }
    }
    EXPECT_EQ(allocated.task, ledger.allocated.task);
    EXPECT_EQ(allocated.bytes, ledger.allocated.bytes);
    EXPECT_EQ(reserved.task, ledger.reserved.task);
    EXPECT_EQ(reserved.bytes, ledger.reserved.bytes);
  }
}

TEST(TimesOf, AreTheTasksStartsButNeverGoBack) {
  const std::vector<MemoryPoint> curve = {
      {TaskId{0}, MiB(1), MiB(2)},
      {TaskId{1}, MiB(2), MiB(2)},   // on a lane that is still busy
      {TaskId{2}, MiB(1), MiB(2)},   // launched later, free to start earlier
      {TaskId{3}, Bytes(0), MiB(2)}  // past the last task
  };
  const std::vector<Instant> starts = {Instant{Microseconds(5)},
                                       Instant{Microseconds(50)},
                                       Instant{Microseconds(20)}};
  EXPECT_THAT(
      TimesOf(curve, starts, Instant{Microseconds(90)}),
      ElementsAre(Instant{Microseconds(5)}, Instant{Microseconds(50)},
                  Instant{Microseconds(50)}, Instant{Microseconds(90)}));
}

}  // namespace
}  // namespace sim
