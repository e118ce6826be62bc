#include "models/schedules/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace models {
namespace {

std::string Text(const std::vector<Pass>& passes) {
  constexpr absl::string_view kKinds[] = {"F", "BW", "B", "W"};
  std::string text;
  for (const Pass& pass : passes) {
    absl::StrAppend(&text, text.empty() ? "" : " ",
                    kKinds[static_cast<size_t>(pass.kind)], pass.microbatch);
    if (pass.chunk > 0) absl::StrAppend(&text, "'", pass.chunk);
  }
  return text;
}

TEST(Schedules, GPipeRunsAllForwardFirst) {
  EXPECT_EQ(Text(PlanGPipe({.stages = 2, .microbatches = 3})[1]),
            "F0 F1 F2 BW0 BW1 BW2");
}

TEST(Schedules, OneForwardOneBackwardWarmsUpByTheStagesBehindIt) {
  // Stage 1 of 4 has two stages behind it.
  EXPECT_EQ(
      Text(PlanOneForwardOneBackward({.stages = 4, .microbatches = 4})[1]),
      "F0 F1 F2 BW0 F3 BW1 BW2 BW3");
  EXPECT_EQ(
      Text(PlanOneForwardOneBackward({.stages = 4, .microbatches = 2})[3]),
      "F0 BW0 F1 BW1");
}

TEST(Schedules, InterleavedVisitsChunksInGroupsOfStages) {
  // Stage 1 of 2, two chunks: warm-up (2-1-1)*2 + (2-1)*2 = 2 passes.
  EXPECT_EQ(
      Text(PlanInterleaved({.stages = 2, .chunks = 2, .microbatches = 2})[1]),
      "F0 F1 F0'1 BW0'1 F1'1 BW1'1 BW0 BW1");
}

struct Grid {
  int64_t stages, chunks, microbatches;
};

// Every schedule, on every stage of a few grids.
template <class Check>
void ForEveryStage(Check check) {
  for (const PipelineSchedule& schedule : PipelineSchedules()) {
    for (const Grid grid : {Grid{1, 1, 1}, Grid{2, 1, 2}, Grid{4, 1, 3},
                            Grid{4, 1, 16}, Grid{8, 1, 8}, Grid{2, 2, 4},
                            Grid{4, 3, 8}, Grid{4, 2, 12}, Grid{8, 5, 16}}) {
      if ((grid.chunks > 1) != schedule.interleaved) continue;
      const Pipeline pipeline{.stages = grid.stages,
                              .chunks = grid.chunks,
                              .microbatches = grid.microbatches};
      const Plan plan = schedule.plan(pipeline);
      ASSERT_EQ(static_cast<int64_t>(plan.size()), grid.stages);
      for (int64_t stage = 0; stage < grid.stages; ++stage) {
        SCOPED_TRACE(absl::StrCat(std::string(schedule.name), " stage ", stage,
                                  " of ", grid.stages, ", ", grid.chunks,
                                  " chunks, ", grid.microbatches,
                                  " microbatches"));
        check(plan[static_cast<size_t>(stage)], pipeline,
              schedule.held(pipeline, stage));
      }
    }
  }
}

TEST(Schedules, EveryMicrobatchPassesEveryChunkOnceEachWay) {
  ForEveryStage([](const std::vector<Pass>& passes, const Pipeline& pipeline,
                   int64_t) {
    // What is done of each chunk and microbatch: 1 forward, 2 input gradient,
    // 4 weight gradient.
    std::map<std::pair<int64_t, int64_t>, int> done;
    for (const Pass& pass : passes) {
      int& parts = done[{pass.chunk, pass.microbatch}];
      const int before = pass.kind == PassKind::kForward          ? 0
                         : pass.kind == PassKind::kWeightGradient ? 3
                                                                  : 1;
      EXPECT_EQ(parts, before);
      if (pass.kind == PassKind::kForward) parts |= 1;
      if (GivesInputGradient(pass.kind)) parts |= 2;
      if (GivesWeightGradient(pass.kind)) parts |= 4;
    }
    EXPECT_EQ(static_cast<int64_t>(done.size()),
              pipeline.chunks * pipeline.microbatches);
    for (const auto& [key, parts] : done) EXPECT_EQ(parts, 7);
  });
}

TEST(Schedules, HoldNoMoreActivationsThanTheySay) {
  ForEveryStage(
      [](const std::vector<Pass>& passes, const Pipeline&, int64_t bound) {
        int64_t held = 0, most = 0;
        for (const Pass& pass : passes) {
          if (pass.kind == PassKind::kForward) ++held;
          most = std::max(most, held);
          if (GivesWeightGradient(pass.kind)) --held;
        }
        EXPECT_EQ(most, bound);
      });
}

// Passes of all stages, run as soon as their input is there: forward of chunk c
// needs chunk c - 1 of the data flow, backward chunk c + 1.
bool Completes(const PipelineSchedule& schedule, const Grid& grid) {
  const Plan plan = schedule.plan({.stages = grid.stages,
                                   .chunks = grid.chunks,
                                   .microbatches = grid.microbatches});
  std::set<std::tuple<bool, int64_t, int64_t>> done;  // chunk of the data flow
  std::vector<size_t> next(plan.size(), 0);
  const int64_t last = grid.stages * grid.chunks - 1;
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t stage = 0; stage < plan.size(); ++stage) {
      if (next[stage] == plan[stage].size()) continue;
      const Pass& pass = plan[stage][next[stage]];
      const int64_t chunk =
          pass.chunk * grid.stages + static_cast<int64_t>(stage);
      const bool backward = GivesInputGradient(pass.kind);
      const int64_t before = chunk + (backward ? 1 : -1);
      if (pass.kind != PassKind::kWeightGradient) {
        if (before >= 0 && before <= last &&
            !done.count({backward, before, pass.microbatch})) {
          continue;
        }
        done.emplace(backward, chunk, pass.microbatch);
      }
      ++next[stage];
      moved = true;
    }
  }
  for (size_t stage = 0; stage < plan.size(); ++stage) {
    if (next[stage] != plan[stage].size()) return false;
  }
  return true;
}

TEST(Schedules, NeverDeadlock) {
  for (const PipelineSchedule& schedule : PipelineSchedules()) {
    for (int64_t stages = 2; stages <= 6; ++stages) {
      for (int64_t chunks = 1; chunks <= 3; ++chunks) {
        if ((chunks > 1) != schedule.interleaved) continue;
        for (int64_t m = 1; m <= 13; ++m) {
          if (schedule.interleaved && m % stages != 0) continue;
          EXPECT_TRUE(Completes(schedule, {stages, chunks, m}))
              << schedule.name << " " << stages << " " << chunks << " " << m;
        }
      }
    }
  }
}

}  // namespace
}  // namespace models
