#include "sim/fold.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/engine.h"
#include "sim/program_check.h"
#include "tests/sim/random_program.h"
#include "tests/sim/small_program.h"

namespace sim {
namespace {

using ::testing::ElementsAre;

// Folds, runs both, and expects every rank's times to be its class's.
Folding ExpectSameTimes(const Program& program) {
  const Folding folding = Fold(program);
  EXPECT_EQ(Check(folding.program), absl::OkStatus());
  const absl::StatusOr<Timeline> all = Simulate(program);
  const absl::StatusOr<Timeline> few = Simulate(folding.program);
  EXPECT_EQ(all.status(), absl::OkStatus());
  EXPECT_EQ(few.status(), absl::OkStatus());
  if (!all.ok() || !few.ok()) return folding;
  EXPECT_EQ(few->makespan, all->makespan);
  for (size_t row = 0; row < program.script.size(); ++row) {
    const RankId rank = AsId<RankId>(row), folded = folding.folded[rank];
    EXPECT_EQ(few->done[folded], all->done[rank]);
    EXPECT_TRUE(std::ranges::equal(few->start(folded), all->start(rank)));
    EXPECT_TRUE(std::ranges::equal(few->finish(folded), all->finish(rank)));
  }
  return folding;
}

Script OneCallEach() {
  Script s;
  s.Append(Call(kTp, 1, {.lane = 1}));
  s.Append(Call(kDp, 1, {.lane = 2}));
  return s;
}

Program SharingOneScript(Program program) {
  for (ScriptId& script : program.script) script = ScriptId{0};
  return program;
}

// -------------------------------------------------------------------- by hand

TEST(Fold, RanksOfOneScriptInEqualGroupsAreOneClass) {
  const Folding folding =
      ExpectSameTimes(SharingOneScript(Of(std::vector<Script>(4, OneCallEach()),
                                          {{0, 1}, {2, 3}}, {{0, 2}, {1, 3}})));
  EXPECT_THAT(folding.representative, ElementsAre(RankId{0}));
  EXPECT_THAT(folding.multiplicity, ElementsAre(4));
  // Both groups keep their two positions.
  ASSERT_EQ(folding.program.members.size(), 2);
  EXPECT_THAT(folding.program.members[GroupId{0}],
              ElementsAre(RankId{0}, RankId{0}));
}

TEST(Fold, OneStragglerUnfoldsOnlyThoseItMeets) {
  // A 2 x 3 grid: tp pairs {0,1} {2,3} {4,5}, dp triples {0,2,4} {1,3,5}. Rank
  // 0 is slow: 1 meets it on tp, 2 and 4 on dp, and 3 and 5 meet those.
  std::vector<Script> scripts(6, OneCallEach());
  scripts[0].Append(Kernel(50));
  Program program =
      Of(scripts, {{0, 1}, {2, 3}, {4, 5}}, {{0, 2, 4}, {1, 3, 5}});
  for (size_t rank = 1; rank < 6; ++rank) {
    program.script[AsId<RankId>(rank)] = ScriptId{1};
  }
  const Folding folding = ExpectSameTimes(program);
  EXPECT_THAT(folding.folded, ElementsAre(RankId{0}, RankId{1}, RankId{2},
                                          RankId{3}, RankId{2}, RankId{3}));
  EXPECT_THAT(folding.multiplicity, ElementsAre(1, 1, 2, 2));
}

TEST(Fold, GroupsOfDifferentSizesAreDifferent) {
  const Folding folding = ExpectSameTimes(SharingOneScript(
      Of(std::vector<Script>(5, OneCallEach()), {{0, 1}, {2, 3, 4}})));
  EXPECT_THAT(folding.multiplicity, ElementsAre(2, 3));
}

TEST(Fold, ARankWithoutAGroupIsDifferent) {
  const Folding folding = ExpectSameTimes(
      SharingOneScript(Of(std::vector<Script>(3, OneCallEach()), {{0, 2}})));
  EXPECT_THAT(folding.folded, ElementsAre(RankId{0}, RankId{1}, RankId{0}));
}

TEST(Fold, ARingOfEqualsIsOneRankThatMeetsItself) {
  // Rank i sends on tp to i + 1, which receives on dp; sends first compute.
  Script s;
  const TaskId kernel = s.Append(Kernel(7));
  s.Append(Call(kTp, 2, {.lane = 1}), {{kernel}});
  s.Append(Call(kDp, 2, {.lane = 2}));
  Program program = SharingOneScript(
      Of(std::vector<Script>(4, s), {{0, 1}, {1, 2}, {2, 3}, {3, 0}}));
  for (uint32_t rank = 0; rank < 4; ++rank) {
    program.groups[rank * 2] = GroupId{rank};
    program.groups[rank * 2 + 1] = GroupId{(rank + 3) % 4};
  }
  const Folding folding = ExpectSameTimes(program);
  EXPECT_THAT(folding.multiplicity, ElementsAre(4));
  // The one rank's send awaits its own receive: 7 + 2.
  EXPECT_EQ(Simulate(folding.program)->makespan, Picoseconds(9));
}

TEST(Fold, ALineOfRanksFoldsAboutItsMiddle) {
  // Pairs {0,1} {2,3} on tp and {1,2} on dp: ends and middles.
  const Folding folding = ExpectSameTimes(SharingOneScript(
      Of(std::vector<Script>(4, OneCallEach()), {{0, 1}, {2, 3}}, {{1, 2}})));
  EXPECT_THAT(folding.folded,
              ElementsAre(RankId{0}, RankId{1}, RankId{1}, RankId{0}));
}

TEST(Fold, FoldingTwiceFoldsNoFurther) {
  const Folding once = Fold(RandomGridProgram(1, {2, 3, 2}));
  const Folding twice = Fold(once.program);
  EXPECT_EQ(twice.program.script, once.program.script);
}

// ----------------------------------------------------------------- properties

TEST(Fold, AGridHasOneClassForEachStage) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Dice dice(seed);
    const Grid grid = {.tensor = 1 + static_cast<uint32_t>(dice.Below(4)),
                       .pipeline = 1 + static_cast<uint32_t>(dice.Below(4)),
                       .data = 1 + static_cast<uint32_t>(dice.Below(4)),
                       .links = dice.Chance(50)};
    const Folding folding = ExpectSameTimes(RandomGridProgram(seed, grid));
    EXPECT_EQ(folding.representative.size(), grid.pipeline);
    for (const uint32_t ranks : folding.multiplicity) {
      EXPECT_EQ(ranks, grid.tensor * grid.data);
    }
    if (HasFailure()) return;
  }
}

TEST(Fold, AGridWithAStragglerKeepsEveryRanksTimes) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Program program = RandomGridProgram(seed, {4, 2, 3, seed % 2 == 0});
    Dice dice(seed);
    const RankId slow = AsId<RankId>(dice.Below(program.script.size()));
    Script script = program.scripts[program.script[slow]];
    for (Task& task : script.tasks) task.duration = task.duration * 3;
    program.script[slow] = program.scripts.Append(script);
    const Folding folding = ExpectSameTimes(program);
    EXPECT_EQ(folding.multiplicity[folding.folded[slow]], 1);
    EXPECT_LT(folding.representative.size(), program.script.size());
    if (HasFailure()) return;
  }
}

TEST(Fold, AnyProgramKeepsEveryRanksTimes) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    ExpectSameTimes(RandomProgram(seed, {}));
    ExpectSameTimes(RandomProgram(seed, {.links = true}));
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace sim
