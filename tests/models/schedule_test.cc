#include "models/schedules/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "models/schedules/plan_check.h"
#include "models/schedules/split_backward.h"

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

TEST(Schedules, BreadthFirstEndsAChunkBeforeTheNext) {
  EXPECT_EQ(
      Text(PlanBreadthFirst({.stages = 2, .chunks = 2, .microbatches = 2})[1]),
      "F0 F1 F0'1 F1'1 BW0'1 BW1'1 BW0 BW1");
}

TEST(Schedules, ZbH1MakesWeightGradientsAsLateAsTheStageIs) {
  // Figure 2 of Qi et al. 2023, with 6 microbatches: the first stage makes them
  // at once, the last three microbatches later.
  const Plan plan = PlanZbH1({.stages = 4, .microbatches = 6});
  EXPECT_EQ(Text(plan[0]),
            "F0 F1 F2 F3 B0 W0 F4 B1 W1 F5 B2 W2 B3 W3 B4 W4 B5 W5");
  EXPECT_EQ(Text(plan[3]),
            "F0 B0 F1 B1 F2 B2 F3 B3 W0 F4 B4 W1 F5 B5 W2 W3 W4 W5");
}

TEST(Schedules, Zb2pFillsTheWarmUpWithForwardPasses) {
  // Stage 0 of 2 has its first gradient after F on both and B on stage 1, three
  // units: it runs 2·2-1 forward passes meanwhile.
  EXPECT_EQ(Text(PlanZb2p({.stages = 2, .microbatches = 4})[0]),
            "F0 F1 F2 B0 F3 B1 W0 B2 W1 B3 W2 W3");
}

TEST(Schedules, DualPipeRunsThePhasesOfItsFigure) {
  // Figure 5 of DeepSeek-AI 2024: rank 0 of 8 with 10 microbatches each way
  // begins with 2·(4-0-1) forward passes of its own direction.
  const Plan plan = PlanDualPipe({.stages = 8,
                                  .chunks = 2,
                                  .microbatches = 20,
                                  .placement = Placement::kBidirectional});
  EXPECT_EQ(TextOf(plan[0]).substr(0, 65),
            "F0.0 F1.0 F2.0 F3.0 F4.0 F5.0 F6.0 F10.1 B10.1 W10.1 F11.1 B11.1 ");
  // Its mirror image runs the same passes of the other direction.
  EXPECT_EQ(TextOf(plan[7]).substr(0, 20), "F10.0 F11.0 F12.0 F1");
  EXPECT_EQ(plan[0].size(), plan[7].size());
}

TEST(Schedules, SplitBackwardMakesWeightGradientsRightBehind) {
  const Plan plan = {ParsePasses("F0 BW0 F1+BW1 B2 W2").value()};
  EXPECT_EQ(TextOf(SplitBackward(plan)[0]),
            "F0.0 B0.0 W0.0 F1.0+B1.0 W1.0 B2.0 W2.0");
}

struct Grid {
  int64_t stages, chunks, microbatches;
};

using Takes = PipelineSchedule::Takes;

// The pipeline of a grid, if the schedule takes it.
std::optional<Pipeline> PipelineOf(const PipelineSchedule& schedule,
                                   const Grid& grid) {
  const bool takes = schedule.takes == Takes::kOne   ? grid.chunks == 1
                     : schedule.takes == Takes::kTwo ? grid.chunks == 2
                                                     : grid.chunks > 1;
  const Pipeline pipeline{
      .stages = grid.stages,
      .chunks = grid.chunks * CopiesOf(schedule.placement),
      .microbatches = grid.microbatches,
      .placement = schedule.placement};
  if (!takes || !Accepts(schedule, pipeline)) return std::nullopt;
  return pipeline;
}

constexpr Grid kGrids[] = {{1, 1, 1},  {2, 1, 2},  {2, 1, 4},   {4, 1, 3},
                           {4, 1, 16}, {8, 1, 8},  {8, 1, 20},  {2, 2, 4},
                           {4, 3, 8},  {4, 2, 12}, {8, 2, 24},  {8, 5, 16},
                           {4, 2, 3},  {6, 2, 13}, {16, 1, 120}};

// Every schedule, on every stage of a few grids.
template <class Check>
void ForEveryPlan(Check check) {
  for (const PipelineSchedule& schedule : PipelineSchedules()) {
    int planned = 0;
    for (const Grid& grid : kGrids) {
      const std::optional<Pipeline> pipeline = PipelineOf(schedule, grid);
      if (!pipeline) continue;
      ++planned;
      SCOPED_TRACE(absl::StrCat(std::string(schedule.name), ": ", grid.stages,
                                " stages, ", grid.chunks, " chunks, ",
                                grid.microbatches, " microbatches"));
      const Plan plan = schedule.plan(*pipeline);
      ASSERT_EQ(static_cast<int64_t>(plan.size()), grid.stages);
      check(schedule, plan, *pipeline);
    }
    EXPECT_GT(planned, 0) << schedule.name;
  }
}

TEST(Schedules, EveryMicrobatchPassesEveryChunkOnceEachWay) {
  ForEveryPlan([](const PipelineSchedule&, const Plan& plan,
                  const Pipeline& pipeline) {
    for (size_t stage = 0; stage < plan.size(); ++stage) {
      // What is done of each chunk and microbatch: 1 forward, 2 input gradient,
      // 4 weight gradient.
      std::map<std::pair<int64_t, int64_t>, int> done;
      for (const Pass& pass : plan[stage]) {
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
                pipeline.chunks * MicrobatchesOf(pipeline));
      for (const auto& [key, parts] : done) EXPECT_EQ(parts, 7);
    }
  });
}

int64_t MostHeld(const std::vector<Pass>& passes) {
  int64_t held = 0, most = 0;
  for (const Pass& pass : passes) {
    if (pass.kind == PassKind::kForward) ++held;
    most = std::max(most, held);
    if (GivesWeightGradient(pass.kind)) --held;
  }
  return most;
}

TEST(Schedules, HoldNoMoreActivationsThanTheySay) {
  ForEveryPlan([](const PipelineSchedule& schedule, const Plan& plan,
                  const Pipeline& pipeline) {
    for (size_t stage = 0; stage < plan.size(); ++stage) {
      EXPECT_EQ(MostHeld(plan[stage]),
                schedule.held(pipeline, static_cast<int64_t>(stage)))
          << "stage " << stage;
    }
  });
}

TEST(Schedules, ZbH1HoldsWhat1F1BDoesAndZbVIsEvenOverItsStages) {
  const Pipeline line{.stages = 8, .microbatches = 24};
  const Pipeline vee{.stages = 8,
                     .chunks = 2,
                     .microbatches = 24,
                     .placement = Placement::kVee};
  // Stage 0 of 1F1B holds p = 8 microbatches, and no stage of zb-h1 more; zb-v
  // holds 16 chunks of half the size on each, breadth-first all 2·24.
  EXPECT_EQ(MostHeld(PlanOneForwardOneBackward(line)[0]), 8);
  const Plan breadth = PlanBreadthFirst(
      {.stages = 8, .chunks = 2, .microbatches = 24});
  const Plan h1 = PlanZbH1(line), two_p = PlanZb2p(line), v = PlanZbV(vee);
  for (size_t stage = 0; stage < 8; ++stage) {
    EXPECT_EQ(MostHeld(h1[stage]), 8);
    EXPECT_EQ(MostHeld(two_p[stage]), 16);
    EXPECT_EQ(MostHeld(v[stage]), 16);
    EXPECT_EQ(MostHeld(breadth[stage]), 48);
  }
}

TEST(Schedules, NeverDeadlock) {
  for (const PipelineSchedule& schedule : PipelineSchedules()) {
    for (int64_t stages = 2; stages <= 6; ++stages) {
      for (int64_t chunks = 1; chunks <= 3; ++chunks) {
        for (int64_t m = 1; m <= 14; ++m) {
          const auto pipeline = PipelineOf(schedule, {stages, chunks, m});
          if (!pipeline) continue;
          const absl::Status status =
              CheckPlan(schedule.plan(*pipeline), *pipeline);
          EXPECT_TRUE(status.ok())
              << schedule.name << " " << stages << " " << chunks << " " << m
              << ": " << status.message();
        }
      }
    }
  }
}

// Runs a plan where F, B and W take one unit and messages none. Returns the
// longest time that a stage takes from its first pass to its last, and what it
// is busy of that.
struct Window {
  int64_t length = 0, busy = 0;
};

Window LongestWindow(const Plan& plan, const Pipeline& pipeline) {
  std::map<std::tuple<bool, int64_t, int64_t, int64_t>, int64_t> done;
  std::vector<size_t> next(plan.size(), 0);
  std::vector<int64_t> begin(plan.size(), -1), now(plan.size(), 0),
      busy(plan.size(), 0);
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t stage = 0; stage < plan.size(); ++stage) {
      if (next[stage] == plan[stage].size()) continue;
      size_t end = next[stage] + 1;
      while (plan[stage][end - 1].with_next) ++end;
      int64_t start = now[stage], length = 0;
      bool ready = true;
      for (size_t at = next[stage]; at < end; ++at) {
        const Pass& pass = plan[stage][at];
        length += pass.kind == PassKind::kBackward ? 2 : 1;
        if (pass.kind == PassKind::kWeightGradient) continue;
        const bool forward = pass.kind == PassKind::kForward;
        const Seat seat{static_cast<int64_t>(stage), pass.chunk};
        const int64_t from = PartAt(pipeline, seat) + (forward ? -1 : 1);
        if (from < 0 || from == PartsOf(pipeline)) continue;
        const Seat source = Neighbour(pipeline, seat, forward ? -1 : 1);
        const auto it = done.find(
            {forward, source.stage, source.chunk, pass.microbatch});
        ready = ready && it != done.end();
        if (ready) start = std::max(start, it->second);
      }
      if (!ready) continue;
      if (begin[stage] < 0) begin[stage] = start;
      now[stage] = start + length;
      busy[stage] += length;
      for (; next[stage] < end; ++next[stage]) {
        const Pass& pass = plan[stage][next[stage]];
        if (pass.kind == PassKind::kWeightGradient) continue;
        done[{pass.kind == PassKind::kForward, static_cast<int64_t>(stage),
              pass.chunk, pass.microbatch}] = now[stage];
      }
      moved = true;
    }
  }
  Window longest;
  for (size_t stage = 0; stage < plan.size(); ++stage) {
    if (now[stage] - begin[stage] > longest.length) {
      longest = {now[stage] - begin[stage], busy[stage]};
    }
  }
  return longest;
}

TEST(Schedules, ZeroBubbleSchedulesHaveTheBubblesOfTheirPapers) {
  for (const int64_t p : {4, 8, 16}) {
    for (const int64_t m : {3 * p, 8 * p}) {
      SCOPED_TRACE(absl::StrCat(p, " stages, ", m, " microbatches"));
      const Pipeline line{.stages = p, .microbatches = m};
      const auto length = [](const PipelineSchedule& s, const Pipeline& of) {
        return LongestWindow(s.plan(of), of).length;
      };
      // 1F1B: (p-1)·(F + B + W); ZB-H1: (p-1)·(F + B - W); ZB-H2: none.
      EXPECT_EQ(length(*FindSchedule("1f1b"), line), 3 * m + 3 * (p - 1));
      EXPECT_EQ(length(*FindSchedule("zb-h1"), line), 3 * m + p - 1);
      EXPECT_EQ(length(*FindSchedule("zb-2p"), line), 3 * m);
      // In units of half-size passes.
      const Pipeline vee{.stages = p,
                         .chunks = 2,
                         .microbatches = m,
                         .placement = Placement::kVee};
      EXPECT_EQ(length(*FindSchedule("zb-v"), vee), 6 * m + p - 1);
    }
  }
}

TEST(Schedules, DualPipesBubbleIsThatOfItsTable) {
  // (n-1)·(F&B + BW - 3W) with F&B = 3, BW = 2: 2(n-1), where n is half of the
  // stages, or all of those of the V (table 2 of DeepSeek-AI 2024).
  for (const int64_t n : {2, 4, 8}) {
    const Pipeline both{.stages = 2 * n,
                        .chunks = 2,
                        .microbatches = 8 * n,
                        .placement = Placement::kBidirectional};
    const Window dual = LongestWindow(PlanDualPipe(both), both);
    EXPECT_EQ(dual.length - dual.busy, 2 * (n - 1));
    const Pipeline vee{.stages = n,
                       .chunks = 2,
                       .microbatches = 4 * n,
                       .placement = Placement::kVee};
    const Window cut = LongestWindow(PlanDualPipeV(vee), vee);
    EXPECT_EQ(cut.length - cut.busy, 2 * (n - 1));
  }
}

}  // namespace
}  // namespace models
