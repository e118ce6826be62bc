#include "sim/deadlock.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sim/engine.h"
#include "tests/sim/small_program.h"

namespace sim {
namespace {

std::string MessageOf(const Program& program) {
  const absl::Status status = Simulate(program).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  return std::string(status.message());
}

TEST(Deadlock, NamesRanksThatMeetInDifferentOrders) {
  Script a, b;
  const TaskId reduce = a.Append(Call(kTp, 1, {.lane = 1, .pass = 3}));
  a.Append(Call(kDp, 1, {.lane = 2}), {{reduce}});
  const TaskId gather = b.Append(Call(kDp, 1, {.lane = 2}));
  b.Append(Call(kTp, 1, {.lane = 1}), {{gather}});
  EXPECT_EQ(MessageOf(Of({a, b, Script()}, {{0, 1}}, {{0, 1}})),
            R"(deadlock: 2 of 3 ranks never finish
rank 0 stands at "all-reduce" (pass 3, lane tp): rank 1 never comes, it stands )"
            R"(at "all-gather" (pass 0, lane dp)
rank 1 stands at "all-gather" (pass 0, lane dp): rank 0 never comes, it stands )"
            R"(at "all-reduce" (pass 3, lane tp))");
}

TEST(Deadlock, SaysThatAPeerHasFinished) {
  Script calls_twice, calls_once;
  calls_twice.Append(Call(kTp, 1, {.lane = 1}));
  calls_twice.Append(Call(kTp, 1, {.lane = 1, .pass = 1}));
  calls_twice.Append(Kernel(1), {{TaskId{1}}});
  calls_once.Append(Call(kTp, 1, {.lane = 1}));
  EXPECT_EQ(MessageOf(Of({calls_twice, calls_once}, {{0, 1}})),
            R"(deadlock: 1 of 2 ranks never finish
rank 0 stands at "all-reduce" (pass 1, lane tp): rank 1 never comes, it has )"
            R"(finished)");
}

TEST(Deadlock, NamesEightPlacesAndFourPeers) {
  Script comes, idle;
  comes.Append(Call(kTp, 1, {.lane = 1}));
  std::vector<Script> scripts(16, comes);
  RankList all;
  for (uint32_t rank = 0; rank < 16; ++rank) all.push_back(rank);
  for (const size_t rank : {1u, 3u, 5u, 7u, 9u}) scripts[rank] = idle;

  std::string expected = "deadlock: 11 of 16 ranks never finish";
  for (const int rank : {0, 2, 4, 6, 8, 10, 11, 12}) {
    absl::StrAppend(&expected, "\nrank ", rank,
                    " stands at \"all-reduce\" (pass 0, lane tp)");
    const char* separator = ": ";
    for (const int peer : {1, 3, 5, 7}) {
      absl::StrAppend(&expected, separator, "rank ", peer,
                      " never comes, it has finished");
      separator = "; ";
    }
    absl::StrAppend(&expected, "; and 1 more");
  }
  absl::StrAppend(&expected, "\nand 3 more");
  EXPECT_EQ(MessageOf(Of(scripts, {all})), expected);
}

TEST(Deadlock, ARankMayMissItself) {
  // A ring of one, folded: the rank sends to itself, but never receives.
  Script s;
  s.Append(Call(kTp, 1, {.lane = 1}));
  Program program = Of({s}, {{0}});
  program.groups[1] = program.groups[0];
  EXPECT_EQ(MessageOf(program),
            R"(deadlock: 1 of 1 ranks never finish
rank 0 stands at "all-reduce" (pass 0, lane tp): rank 0 never comes, it stands )"
            R"(at "all-reduce" (pass 0, lane tp))");
}

}  // namespace
}  // namespace sim
