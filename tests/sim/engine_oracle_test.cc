// The engine against the naive engine, on programs made up from seeds.
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/engine.h"
#include "sim/program_check.h"
#include "tests/sim/naive_engine.h"
#include "tests/sim/random_program.h"

namespace sim {
namespace {

std::vector<int64_t> Counts(std::span<const Instant> instants) {
  std::vector<int64_t> counts;
  for (const Instant at : instants) counts.push_back(at.since_start.count());
  return counts;
}

// Compares bit for bit; true if the program ran to its end.
bool ExpectSameAsNaive(const Program& program) {
  EXPECT_EQ(Check(program), absl::OkStatus());
  const absl::StatusOr<Timeline> fast = Simulate(program);
  const std::optional<NaiveTimeline> naive = NaiveSimulate(program);
  EXPECT_EQ(fast.ok(), naive.has_value()) << fast.status().message();
  if (!fast.ok() || !naive) return false;
  for (size_t row = 0; row < program.script.size(); ++row) {
    const RankId rank = AsId<RankId>(row);
    EXPECT_EQ(Counts(fast->start(rank)), naive->start[row]) << "rank " << row;
    EXPECT_EQ(Counts(fast->finish(rank)), naive->finish[row]) << "rank " << row;
  }
  return true;
}

TEST(EngineOracle, AgreesOnProgramsWithContention) {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    EXPECT_TRUE(ExpectSameAsNaive(RandomProgram(seed, {})));
    if (HasFailure()) return;
  }
}

TEST(EngineOracle, AgreesOnProgramsWithoutContention) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    EXPECT_TRUE(ExpectSameAsNaive(RandomProgram(seed, {.contention = false})));
    if (HasFailure()) return;
  }
}

TEST(EngineOracle, AgreesOnProgramsWhoseCommunicationsSlowEachOther) {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    EXPECT_TRUE(ExpectSameAsNaive(RandomProgram(seed, {.links = true})));
    if (HasFailure()) return;
  }
}

TEST(EngineOracle, AgreesOnWhichProgramsDeadlock) {
  int finished = 0, deadlocked = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    const Program program =
        RandomProgram(seed, {.lost_call = true, .links = seed % 2 == 0});
    ExpectSameAsNaive(program) ? ++finished : ++deadlocked;
    if (HasFailure()) return;
  }
  EXPECT_GT(finished, 10);
  EXPECT_GT(deadlocked, 50);
}

TEST(EngineOracle, AgreesOnPipelines) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    Dice dice(seed);
    const Grid grid = {.tensor = 1 + static_cast<uint32_t>(dice.Below(2)),
                       .pipeline = 1 + static_cast<uint32_t>(dice.Below(3)),
                       .data = 1 + static_cast<uint32_t>(dice.Below(2)),
                       .links = dice.Chance(50)};
    EXPECT_TRUE(ExpectSameAsNaive(RandomGridProgram(seed, grid)));
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace sim
