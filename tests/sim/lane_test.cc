#include "sim/lane.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <vector>

#include "tests/sim/small_program.h"

namespace sim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Instant At(int64_t ps) { return {Picoseconds(ps)}; }

// Lane 0 of a script of kernels, on a device whose host starts at 0.
struct OneLane {
  explicit OneLane(const std::vector<Task>& kernels)
      : steps(MakeProgram(kernels)) {
    device.host = host.data();
    lane.at = steps.begin(ScriptId{0}, LaneId{0});
  }
  static Program MakeProgram(const std::vector<Task>& kernels) {
    Script script;
    for (const Task& kernel : kernels) script.Append(kernel);
    return Of({script});
  }

  void Begin(int64_t ps) { BeginStretch(lane, At(ps), steps, device); }
  void SettleAt(int64_t ps) {
    Settle(lane, At(ps), steps, device,
           [this](StepId, Instant, Instant end) { ended.push_back(end); });
  }

  Steps steps;
  std::array<Instant, 1> host = {};
  Device device;
  Lane lane;
  std::vector<Instant> ended;
};

TEST(Lane, AKernelThatLosesHalfTheDeviceTakesTwiceTheRest) {
  OneLane one({Kernel(1000)});
  one.Begin(100);
  EXPECT_EQ(one.lane.end, At(1100));
  one.SettleAt(356);  // 256 ps done, 744 left
  one.device.compute_taken += 512;
  Walk(one.lane, one.steps, one.device);
  EXPECT_EQ(one.lane.end, At(356 + 2 * 744));
}

TEST(Lane, SettlingWithoutAChangeMovesNoEnd) {
  OneLane one({Kernel(100), Kernel(50), Kernel(7)});
  one.device.compute_taken = 333;
  one.Begin(0);
  const Instant end = one.lane.end;
  for (int64_t ps = 0; ps < end.since_start.count(); ps += 3) {
    one.SettleAt(ps);
    Walk(one.lane, one.steps, one.device);
    ASSERT_EQ(one.lane.end, end) << ps;
  }
}

TEST(Lane, SettlingLeavesEndedKernelsBehindButNeverTheLast) {
  OneLane one({Kernel(10), Kernel(20), Kernel(30)});
  one.Begin(0);
  one.SettleAt(9);
  EXPECT_THAT(one.ended, IsEmpty());
  one.SettleAt(10);
  EXPECT_THAT(one.ended, ElementsAre(At(10)));
  one.SettleAt(60);
  EXPECT_THAT(one.ended, ElementsAre(At(10), At(30)));
  EXPECT_EQ(one.lane.at, one.lane.last);
  EXPECT_EQ(one.lane.left, 0);
}

TEST(Lane, AStretchWaitsForLaunchesInItsMiddle) {
  OneLane one({Kernel(10), Kernel(10, {.issue = 50})});
  one.Begin(0);
  EXPECT_EQ(one.lane.end, At(60));
  one.SettleAt(30);  // between the two
  EXPECT_EQ(one.lane.start, At(50));
  EXPECT_EQ(one.lane.left, 10 * 1024);
}

}  // namespace
}  // namespace sim
