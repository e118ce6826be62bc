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
  std::string text;
  for (const Pass& pass : passes) {
    absl::StrAppend(&text, text.empty() ? "" : " ", pass.backward ? "B" : "F",
                    pass.microbatch);
    if (pass.chunk > 0) absl::StrAppend(&text, "'", pass.chunk);
  }
  return text;
}

TEST(Schedules, GPipeRunsAllForwardFirst) {
  EXPECT_EQ(Text(PlanGPipe({.stages = 2, .microbatches = 3})),
            "F0 F1 F2 B0 B1 B2");
}

TEST(Schedules, OneForwardOneBackwardWarmsUpByTheStagesBehindIt) {
  // Stage 1 of 4 has two stages behind it.
  EXPECT_EQ(Text(PlanOneForwardOneBackward(
                {.stage = 1, .stages = 4, .microbatches = 4})),
            "F0 F1 F2 B0 F3 B1 B2 B3");
  EXPECT_EQ(Text(PlanOneForwardOneBackward(
                {.stage = 3, .stages = 4, .microbatches = 2})),
            "F0 B0 F1 B1");
}

TEST(Schedules, InterleavedVisitsChunksInGroupsOfStages) {
  // Stage 1 of 2, two chunks: warm-up (2-1-1)*2 + (2-1)*2 = 2 passes.
  EXPECT_EQ(Text(PlanInterleaved(
                {.stage = 1, .stages = 2, .chunks = 2, .microbatches = 2})),
            "F0 F1 F0'1 B0'1 F1'1 B1'1 B0 B1");
}

struct Grid {
  int64_t stages, chunks, microbatches;
};

// Every schedule, on every stage of a few grids.
template <class Check>
void ForEveryPlace(Check check) {
  for (const PipelineSchedule& schedule : PipelineSchedules()) {
    for (const Grid grid : {Grid{1, 1, 1}, Grid{2, 1, 2}, Grid{4, 1, 3},
                            Grid{4, 1, 16}, Grid{8, 1, 8}, Grid{2, 2, 4},
                            Grid{4, 3, 8}, Grid{4, 2, 12}, Grid{8, 5, 16}}) {
      if ((grid.chunks > 1) != schedule.interleaved) continue;
      for (int64_t stage = 0; stage < grid.stages; ++stage) {
        SCOPED_TRACE(absl::StrCat(std::string(schedule.name), " stage ", stage,
                                  " of ", grid.stages, ", ", grid.chunks,
                                  " chunks, ", grid.microbatches,
                                  " microbatches"));
        check(schedule, PipelinePlace{.stage = stage,
                                      .stages = grid.stages,
                                      .chunks = grid.chunks,
                                      .microbatches = grid.microbatches});
      }
    }
  }
}

TEST(Schedules, EveryMicrobatchPassesEveryChunkOnceEachWay) {
  ForEveryPlace(
      [](const PipelineSchedule& schedule, const PipelinePlace& place) {
        std::set<std::tuple<bool, int64_t, int64_t>> seen;
        const std::vector<Pass> passes = schedule.plan(place);
        for (const Pass& pass : passes) {
          EXPECT_TRUE(
              seen.emplace(pass.backward, pass.chunk, pass.microbatch).second);
          if (pass.backward) {
            EXPECT_TRUE(seen.count({false, pass.chunk, pass.microbatch}));
          }
        }
        EXPECT_EQ(static_cast<int64_t>(passes.size()),
                  2 * place.chunks * place.microbatches);
      });
}

TEST(Schedules, HoldNoMoreActivationsThanTheySay) {
  ForEveryPlace(
      [](const PipelineSchedule& schedule, const PipelinePlace& place) {
        int64_t held = 0, most = 0;
        for (const Pass& pass : schedule.plan(place)) {
          held += pass.backward ? -1 : 1;
          most = std::max(most, held);
        }
        EXPECT_EQ(most, schedule.held(place));
      });
}

// Passes of all stages, run as soon as their input is there: forward of chunk c
// needs chunk c - 1 of the data flow, backward chunk c + 1.
bool Completes(const PipelineSchedule& schedule, const Grid& grid) {
  std::vector<std::vector<Pass>> plan;
  for (int64_t stage = 0; stage < grid.stages; ++stage) {
    plan.push_back(schedule.plan({.stage = stage,
                                  .stages = grid.stages,
                                  .chunks = grid.chunks,
                                  .microbatches = grid.microbatches}));
  }
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
      const int64_t before = chunk + (pass.backward ? 1 : -1);
      if (before >= 0 && before <= last &&
          !done.count({pass.backward, before, pass.microbatch})) {
        continue;
      }
      done.emplace(pass.backward, chunk, pass.microbatch);
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
