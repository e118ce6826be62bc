#include "sim/steps.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "sim/program_check.h"
#include "tests/sim/small_program.h"

namespace sim {
namespace {

// The first script's steps, lane by lane: the task, what it needs as
// <lane:tasks of that lane, the lanes it wakes as >lanes, and + if the next
// step joins it.
std::string Dump(const Program& program) {
  EXPECT_EQ(Check(program), absl::OkStatus());
  const Steps steps(program);
  const auto begin = [&](size_t lane) {
    return Row(steps.begin(ScriptId{0}, AsId<LaneId>(lane)));
  };
  std::string dump;
  for (size_t lane = 0; lane < program.lanes.size(); ++lane) {
    size_t row = begin(lane);
    for (; steps[AsId<StepId>(row)].kind != StepKind::kEnd; ++row) {
      const StepId id = AsId<StepId>(row);
      const Step& step = steps[id];
      absl::StrAppend(&dump, " ", Row(steps.task(id)));
      for (const Need need : steps.needs(id)) {
        absl::StrAppend(&dump, "<", need.lane, ":",
                        Row(need.position) - begin(need.lane));
      }
      for (size_t other = 0; other < kMaxLanes; ++other) {
        if (step.wakes >> other & 1) absl::StrAppend(&dump, ">", other);
      }
      if (step.kind == StepKind::kJoinedKernel) dump += "+";
    }
    dump += ";";
  }
  return dump;
}

TEST(Steps, JoinsKernelsThatFollowOneAnother) {
  Script s;
  for (int i = 0; i < 3; ++i) s.Append(Kernel(1));
  s.Append(Call(kTp, 1));
  s.Append(Kernel(1));
  EXPECT_EQ(Dump(Of({s})), " 0+ 1+ 2 3 4;;;;");
}

TEST(Steps, AKernelThatAnotherLaneWaitsForEndsAStretch) {
  Script s;
  for (int i = 0; i < 3; ++i) s.Append(Kernel(1));
  s.Append(Call(kTp, 1, {.lane = 1}), {{TaskId{1}}});
  s.Append(Kernel(1));
  s.Append(Kernel(1), {{TaskId{3}}});
  EXPECT_EQ(Dump(Of({s})), " 0+ 1>1 2+ 4 5<1:1; 3<0:2>0;;;");
}

TEST(Steps, WaitsThatCannotHoldATaskUpAreLeftOut) {
  Script s;
  const TaskId a = s.Append(Kernel(1, {.lane = 1}));
  const TaskId b = s.Append(Kernel(1, {.lane = 1}));
  s.Append(Kernel(1), {{a, b}});  // b implies a
  s.Append(Kernel(1), {{a, b}});  // the task before it has waited for both
  s.Append(Kernel(1, {.lane = 1}), {{a}});  // its own lane
  EXPECT_EQ(Dump(Of({s})), " 2<1:2+ 3; 0+ 1>0 4;;;");
}

TEST(Steps, EveryLaneNeedsTheHostsLastSync) {
  Script s;
  s.Append(Kernel(1, {.lane = 1}));
  s.Append(Kernel(1, {.lane = 0, .host_sync = true}));
  s.Append(Kernel(1, {.lane = 0}));
  s.Append(Kernel(1, {.lane = 1}));
  s.Append(Kernel(1, {.lane = 2}));
  EXPECT_EQ(Dump(Of({s})), " 1>1>2 2; 0 3<0:1; 4<0:1;;");
}

TEST(Steps, AStretchHasAnEnd) {
  Script s;
  for (int i = 0; i < 65; ++i) s.Append(Kernel(1));
  const Program program = Of({s});
  const Steps steps(program);
  EXPECT_EQ(steps[StepId{62}].kind, StepKind::kJoinedKernel);
  EXPECT_EQ(steps[StepId{63}].kind, StepKind::kKernel);
  EXPECT_EQ(steps[StepId{64}].kind, StepKind::kKernel);
  EXPECT_EQ(steps[StepId{65}].kind, StepKind::kEnd);
}

}  // namespace
}  // namespace sim
