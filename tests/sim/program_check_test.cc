#include "sim/program_check.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/sim/random_program.h"
#include "tests/sim/small_program.h"

namespace sim {
namespace {

// A sound program of two ranks, for tests to break.
Program Sound() {
  Script s;
  const TaskId kernel = s.Append(Kernel(10));
  s.Append(Call(kTp, 5, {.lane = 1, .compute = 100}), {{kernel}});
  s.memory = {{TaskId{0}, BufferId{0}, Bytes(8), HolderId{0}},
              {TaskId{1}, BufferId{0}, Bytes(0), HolderId{0}}};
  return Of({s, s}, {{0, 1}});
}

Script& FirstScript(Program& program) { return program.scripts[ScriptId{0}]; }
Task& TaskOf(Program& program, uint32_t task) {
  return FirstScript(program).tasks[TaskId{task}];
}

// What Check says; empty if it is ok.
std::string Said(const Program& program) {
  return std::string(Check(program).message());
}

TEST(ProgramCheck, AcceptsSoundPrograms) {
  EXPECT_EQ(Said(Sound()), "");
  EXPECT_EQ(Said(RandomGridProgram(0, {2, 3, 2})), "");
  EXPECT_EQ(Said(Program()), "");
}

TEST(ProgramCheck, AcceptsAWaitOnTheSameLane) {
  Program program = Sound();
  FirstScript(program).Append(Kernel(1), {{TaskId{0}}});
  EXPECT_EQ(Said(program), "");
}

TEST(ProgramCheck, RefusesMoreLanesThanTheEngineHas) {
  Program program = Sound();
  while (program.lanes.size() <= kMaxLanes) program.lanes.Append("more");
  EXPECT_EQ(Said(program), "has 33 lanes; the most is 32");
}

TEST(ProgramCheck, RefusesAnAxisNumberedAsNone) {
  Program program;
  while (program.axes.size() <= 255) program.axes.Append("more");
  EXPECT_EQ(Said(program), "has 256 axes; the most is 255");
}

TEST(ProgramCheck, RefusesRowsThatAreNotThere) {
  Program program = Sound();
  TaskOf(program, 0).lane = LaneId{4};
  EXPECT_EQ(Said(program), "script 0, task 0: has no lane 4");
  program = Sound();
  TaskOf(program, 1).axis = AxisId{2};
  EXPECT_EQ(Said(program), "script 0, task 1: has no axis 2");
  program = Sound();
  TaskOf(program, 1).label = LabelId{9};
  EXPECT_EQ(Said(program), "script 0, task 1: has no label 9");
  program = Sound();
  program.script[RankId{1}] = ScriptId{7};
  EXPECT_EQ(Said(program), "rank 1: has no script 7");
  program = Sound();
  program.groups[1] = GroupId{3};
  EXPECT_EQ(Said(program), "rank 0: has no group 3 on axis dp");
  program = Sound();
  const RankId members[] = {RankId{2}};
  program.members.Append(members);
  EXPECT_EQ(Said(program), "group 1: has no rank 2");
}

TEST(ProgramCheck, RefusesTablesOfTheWrongSize) {
  Program program = Sound();
  program.groups.pop_back();
  EXPECT_EQ(Said(program), "has 3 rows of groups for 2 ranks and 2 axes");
  program = Sound();
  FirstScript(program).waits.Append({});
  EXPECT_EQ(Said(program), "script 0: has 2 tasks but rows of waits for 3");
}

TEST(ProgramCheck, RefusesAWaitOnATaskThatIsNotBefore) {
  Program program = Sound();
  FirstScript(program).Append(Kernel(1), {{TaskId{0}, TaskId{2}}});
  EXPECT_EQ(Said(program),
            "script 0, task 2: waits for task 2, which is not before it");
}

TEST(ProgramCheck, RefusesAnAxisOnTwoLanes) {
  Program program = Sound();
  FirstScript(program).Append(Call(kTp, 1, {.lane = 2}));
  EXPECT_EQ(Said(program),
            "script 0, task 2: uses axis tp on lane dp after lane tp");
}

TEST(ProgramCheck, RefusesTimesThatWouldNotFit) {
  Program program = Sound();
  TaskOf(program, 0).duration = Picoseconds(-1);
  EXPECT_EQ(Said(program), "script 0, task 0: lasts -1 ps");
  TaskOf(program, 0).duration = kLongestTask;
  EXPECT_EQ(Said(program), "");
  TaskOf(program, 0).duration = kLongestTask + Picoseconds(1);
  EXPECT_EQ(Said(program), "script 0, task 0: lasts 4503599627370497 ps");
  program = Sound();
  TaskOf(program, 1).issue = Picoseconds(-5);
  EXPECT_EQ(Said(program), "script 0, task 1: is issued after -5 ps");
}

TEST(ProgramCheck, RefusesTakingWhatIsNotThere) {
  Program program = Sound();
  TaskOf(program, 1).takes_memory = 1025;
  EXPECT_EQ(Said(program), "script 0, task 1: takes 1025/1024 of the device");
  program = Sound();
  TaskOf(program, 0).takes_compute = 1;
  EXPECT_EQ(Said(program),
            "script 0, task 0: is a kernel but takes 1/1024 of the device");
}

TEST(ProgramCheck, RefusesUsesOfLinksThatMakeNoSense) {
  Program program = WithLinks(Sound(), {{1024, 1}});
  EXPECT_EQ(Said(program), "");
  TaskOf(program, 1).use = UseId{1};
  EXPECT_EQ(Said(program), "script 0, task 1: has no use 1");
  TaskOf(program, 1).use = UseId{0};
  EXPECT_EQ(Said(program), "");
  TaskOf(program, 0).use = UseId{0};
  EXPECT_EQ(Said(program), "script 0, task 0: is a kernel but uses links");
  EXPECT_EQ(Said(WithLinks(Sound(), {{1025, 0}})),
            "use 0: needs 1025/1024 of nvlink");

  program = WithLinks(Sound(), {});
  program.uses.Append(std::vector<LinkUse>{{LinkId{2}, 1}});
  EXPECT_EQ(Said(program), "use 0: has no link 2");
  program = WithLinks(Sound(), {});
  program.uses.Append(std::vector<LinkUse>{{LinkId{1}, 1}, {LinkId{1}, 1}});
  EXPECT_EQ(Said(program), "use 0: names nic twice");
}

TEST(ProgramCheck, RefusesGroupsWhoseMembersDoNotReachThem) {
  Program program = Sound();
  program.groups[2] = kNoGroup;
  EXPECT_EQ(Said(program), "group 0: its member rank 1 has it on no axis");
  program = Sound();
  const RankId alone[] = {RankId{0}};
  program.members = {};
  program.members.Append(alone);
  EXPECT_EQ(Said(program),
            "group 0: rank 1 has it on an axis but is not a member");
}

TEST(ProgramCheck, RefusesMemoryStepsThatMakeNoSense) {
  const auto said = [](std::vector<MemoryStep> steps) {
    Program program = Sound();
    FirstScript(program).memory = std::move(steps);
    return Said(program);
  };
  const BufferId a{0}, b{1};
  const HolderId held{0};
  EXPECT_EQ(said({{TaskId{2}, a, Bytes(8), held}}),
            "script 0: memory step at task 2 of 2");
  EXPECT_EQ(
      said({{TaskId{1}, a, Bytes(8), held}, {TaskId{0}, b, Bytes(8), held}}),
      "script 0, task 0: memory step after a later task's");
  EXPECT_EQ(said({{TaskId{0}, a, Bytes(8), held},
                  {TaskId{0}, a, Bytes(0), held},
                  {TaskId{0}, b, Bytes(8), held}}),
            "script 0, task 0: allocates after it frees");
  EXPECT_EQ(said({{TaskId{0}, a, Bytes(8), HolderId{1}}}),
            "script 0, task 0: has no holder 1");
  EXPECT_EQ(said({{TaskId{0}, a, Bytes(-8), held}}),
            "script 0, task 0: allocates -8 B");
  EXPECT_EQ(
      said({{TaskId{0}, a, Bytes(8), held}, {TaskId{1}, a, Bytes(8), held}}),
      "script 0, task 1: allocates buffer 0 again");
  EXPECT_EQ(said({{TaskId{0}, b, Bytes(0), held}}),
            "script 0, task 0: frees buffer 1, which is not held");
  EXPECT_EQ(said({{TaskId{0}, a, Bytes(8), held},
                  {TaskId{0}, a, Bytes(0), held},
                  {TaskId{1}, a, Bytes(0), held}}),
            "script 0, task 1: frees buffer 0, which is not held");
}

}  // namespace
}  // namespace sim
