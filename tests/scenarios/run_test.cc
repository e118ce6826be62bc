#include "scenarios/run.h"

#include <gtest/gtest.h>

#include "absl/strings/str_split.h"
#include "scenarios/breakdown.h"
#include "scenarios/load.h"
#include "scenarios/report.h"
#include "scenarios/trace_of_run.h"
#include "scenarios/ways_out.h"
#include "small_inputs.h"

namespace scenarios {
namespace {

const models::Split kSplits[] = {
    {},
    {.tensor = 4, .sequence = true, .data = 2, .zero = 1},
    {.pipeline = 4, .data = 2},
    {.tensor = 2,
     .pipeline = 2,
     .virtual_stages = 3,
     .schedule = "interleaved-1f1b"},
    {.data = 8, .zero = 3},
    {.context = 2, .data = 4},
    {.pipeline = 4, .schedule = "zb-2p"},
    {.tensor = 2,
     .sequence = true,
     .pipeline = 2,
     .virtual_stages = 2,
     .schedule = "zb-v"},
    {.pipeline = 2, .schedule = "dualpipe", .data = 2, .zero = 1},
};

TEST(BreakDown, PartsSumToTheStepExactly) {
  for (const models::Split& split : kSplits) {
    for (const bool blocking : {false, true}) {
      Inputs inputs = SmallInputs(split, 4);
      inputs.training.host.launch_blocking = blocking;
      inputs.training.overlap.optimizer_post_validation = !blocking;
      const Outcome outcome = Execute(inputs).value();
      ASSERT_FALSE(outcome.ranks.empty());
      for (const RecordedRank& rank : outcome.ranks) {
        sim::Duration sum;
        for (const sim::Duration part : BreakDown(outcome, rank).parts) {
          EXPECT_GE(part, sim::Duration(0));
          sum += part;
        }
        EXPECT_EQ(sum, outcome.step) << DescribeSplit(split);
      }
    }
  }
}

TEST(Execute, StagesThatDoNotMeetStepByStepTakeTheTimeOfTheBusiest) {
  // zb-2p's stages start and end one after another: with post-validation the
  // last does not hold up the first.
  Inputs inputs = SmallInputs({.pipeline = 4, .schedule = "zb-2p"}, 16);
  const Outcome meeting = Execute(inputs).value();
  EXPECT_EQ(meeting.step, meeting.timeline.makespan);
  inputs.training.overlap.optimizer_post_validation = true;
  const Outcome going_on = Execute(inputs).value();
  EXPECT_LT(going_on.step, meeting.step);
  EXPECT_LT(going_on.step, going_on.timeline.makespan);
  EXPECT_LT(going_on.ranks[0].begin, going_on.ranks[3].begin);
}

Breakdown Only(const Inputs& inputs) {
  const Outcome outcome = Execute(inputs).value();
  return BreakDown(outcome, outcome.ranks[0]);
}

TEST(Execute, AHostThatWaitsForEachLayerIsBetweenRunningAheadAndBlocking) {
  for (const models::Split& split : kSplits) {
    Inputs inputs = SmallInputs(split, 4);
    // Slow enough that some kernels wait for the host and others do not.
    inputs.training.host.launch_microseconds = 20;
    const auto step = [&] { return Execute(inputs).value().timeline.makespan; };
    const sim::Duration ahead = step();
    inputs.training.host.synchronise_layers = true;
    const sim::Duration layers = step();
    inputs.training.host = {.launch_microseconds = 20, .launch_blocking = true};
    EXPECT_GT(layers, ahead) << DescribeSplit(split);
    EXPECT_LT(layers, step()) << DescribeSplit(split);
  }
}

TEST(BreakDown, OneRankHasNoCommunicationAndNoBubble) {
  const Breakdown b = Only(SmallInputs({}, 1));
  for (const Part part : {Part::kTensor, Part::kContext, Part::kData,
                          Part::kPipeline, Part::kBubble, Part::kSlowed}) {
    EXPECT_EQ(b.parts[part], sim::Duration(0)) << NameOf(part);
  }
  EXPECT_GT(b.parts[Part::kGemm], sim::Duration(0));
}

TEST(BreakDown, CommunicationSlowedOnLinksIsPartOfWhatIsExposed) {
  // On one server, sums of gradients meet those of tensor-parallel groups.
  Inputs inputs = SmallInputs({.tensor = 4, .sequence = true, .data = 2}, 4);
  inputs.training.micro_batch = 32;
  inputs.training.global_batch *= 32;
  EXPECT_EQ(Only(inputs).shared_links, sim::Duration(0));
  EXPECT_FALSE(Summarize(inputs, Execute(inputs).value()).has_links());

  inputs.training.overlap.link_contention = true;
  const Breakdown b = Only(inputs);
  EXPECT_GT(b.shared_links, sim::Duration(0));
  EXPECT_LT(b.shared_links, b.parts[Part::kTensor] + b.parts[Part::kData]);
  EXPECT_EQ(Summarize(inputs, Execute(inputs).value()).links().slowed_seconds(),
            sim::InSeconds(b.shared_links));
}

TEST(BreakDown, ASlowHostShowsAsLaunch) {
  Inputs inputs = SmallInputs({}, 1);
  inputs.training.host.launch_microseconds = 500;
  const Breakdown b = Only(inputs);
  EXPECT_GT(b.parts[Part::kLaunch], b.parts[Part::kGemm]);
}

TEST(BreakDown, OverlappedReductionIsLessExposedThanALateOne) {
  Inputs inputs = SmallInputs({.data = 8}, 1);
  inputs.training.overlap.bucket_parameters = 10'000'000;
  inputs.training.overlap.grad_reduce = false;
  const sim::Duration late = Only(inputs).parts[Part::kData];
  inputs.training.overlap.grad_reduce = true;
  EXPECT_LT(Only(inputs).parts[Part::kData], late);
}

TEST(Execute, UnfoldedAndFoldedReportsAreEqual) {
  for (const models::Split& split : kSplits) {
    Inputs inputs = SmallInputs(split, 4);
    inputs.training.overlap.link_contention = split.pipeline > 1;
    Report folded = Summarize(inputs, Execute(inputs).value());
    Report whole = Summarize(inputs, Execute(inputs, {.unfold = true}).value());
    for (Report* report : {&folded, &whole}) {
      report->clear_simulated_ranks();
      report->clear_completions();
    }
    EXPECT_EQ(folded.SerializeAsString(), whole.SerializeAsString())
        << DescribeSplit(split);
  }
}

TEST(Summarize, RatesFollowFromTheStep) {
  const Inputs inputs = SmallInputs({.data = 2}, 4);
  const Report r = Summarize(inputs, Execute(inputs).value());
  const double tokens = 8 * 1024;
  EXPECT_DOUBLE_EQ(r.tokens_per_second(), tokens / r.step_seconds());
  EXPECT_DOUBLE_EQ(r.tokens_per_second_per_gpu() * 2, r.tokens_per_second());
  EXPECT_DOUBLE_EQ(r.mfu(),
                   r.tflops_per_second_per_gpu() / r.peak_tflops_per_second());
  EXPECT_TRUE(r.fits());
}

TEST(Summarize, HorizonIsTokensOverRate) {
  Inputs inputs = SmallInputs({.data = 2}, 4);
  inputs.horizon.tokens = 1e9;
  inputs.horizon.gpu_hour_usd = 2;
  inputs.horizon.budget_usd = 1000;
  const Report r = Summarize(inputs, Execute(inputs).value());
  const double hours = 1e9 / r.tokens_per_second() / 3600 * 2;
  EXPECT_NEAR(r.horizon().gpu_hours(), hours, hours * 1e-12);
  EXPECT_NEAR(r.horizon().usd(), 2 * hours, hours * 1e-12);
  // 500 GPU hours of model FLOPs C; N = sqrt(C / 120).
  const double flops = 500 * 3600 * r.tflops_per_second_per_gpu() * 1e12;
  EXPECT_NEAR(r.horizon().compute_optimal_parameters() *
                  r.horizon().compute_optimal_parameters() * 120 / flops,
              1, 1e-12);
}

TEST(Summarize, MeasuredRateBecomesAStepAndAnError) {
  Inputs inputs = SmallInputs({.data = 2}, 4);
  inputs.measured = Measured{.step_seconds = {},
                             .tokens_per_second_per_gpu = 1000,
                             .source = "a paper, table 1"};
  const Report r = Summarize(inputs, Execute(inputs).value());
  // 8 sequences of 1,024 tokens on two GPUs at 1,000 tokens/s each.
  EXPECT_DOUBLE_EQ(r.measured().step_seconds(), 8 * 1024 / 2 / 1000.0);
  EXPECT_DOUBLE_EQ(r.measured().error(),
                   r.step_seconds() / r.measured().step_seconds() - 1);
}

TEST(WaysOut, EachIsSimulatedAndFits) {
  Inputs inputs = SmallInputs({.data = 2}, 1);
  inputs.training.micro_batch = 64;
  inputs.training.global_batch = 128;
  inputs.training.kernels.fused_attention = false;
  const Report r = Summarize(inputs, Execute(inputs).value());
  ASSERT_FALSE(r.fits());
  ASSERT_FALSE(r.ways_out().empty());
  for (int i = 0; i < r.ways_out_size(); ++i) {
    EXPECT_LE(r.ways_out(i).peak_gib(), r.memory().capacity_gib());
    if (i > 0) {
      EXPECT_GE(r.ways_out(i).step_seconds(), r.ways_out(i - 1).step_seconds());
    }
  }
}

TEST(WaysOut, AreScenariosThatLoad) {
  // On servers of 6 GPUs, 48 heads and a width of 24,576 = 2^13 x 3 could be
  // cut in 8, but no server holds a group of 8.
  const std::vector<std::string> asked = {
      "cluster.nodes=4",
      "cluster.gpus_per_node=6",
      "training.recompute=NONE",
      "training.parallel={ tensor: 4 sequence: false data: 6 }",
      "training.global_batch=24",
      "training.micro_batch=4"};
  const Inputs inputs = Load("gpt3-22b-8xa100", asked).value();
  const Report r = Summarize(inputs, Execute(inputs).value());
  ASSERT_FALSE(r.fits());
  ASSERT_FALSE(r.ways_out().empty());
  for (const WayOut& way : r.ways_out()) {
    EXPECT_EQ(way.change().find("tensor=8"), std::string::npos);
    std::vector<std::string> changed = asked;
    for (const absl::string_view set :
         absl::StrSplit(way.change(), " --set ")) {
      changed.emplace_back(set);
    }
    const auto loaded = Load("gpt3-22b-8xa100", changed);
    EXPECT_TRUE(loaded.ok()) << way.change() << ": " << loaded.status();
  }
}

TEST(TraceOf, ShowsOneRankAClassUnlessAsked) {
  const Inputs inputs = SmallInputs({.pipeline = 2, .data = 2}, 2);
  const Outcome outcome = Execute(inputs, {.memory_curve = true}).value();
  EXPECT_EQ(TraceOf(inputs, outcome, {}).value().ranks.size(), 2u);
  const std::vector<int64_t> asked = {1, 3};
  const TraceInputs trace = TraceOf(inputs, outcome, asked).value();
  ASSERT_EQ(trace.ranks.size(), 2u);
  EXPECT_EQ(trace.ranks[1].name, "rank 3 · stage 1 · tp 0 · dp 1");
  EXPECT_FALSE(trace.ranks[0].memory.empty());
  const std::vector<int64_t> beyond = {4};
  EXPECT_EQ(TraceOf(inputs, outcome, beyond).status().message(),
            "--trace-ranks: there is no rank 4; the run has ranks 0 to 3");
  const std::vector<int64_t> twice = {1, 1};
  EXPECT_EQ(TraceOf(inputs, outcome, twice).status().message(),
            "--trace-ranks: rank 1 is named twice; once would do");
}

}  // namespace
}  // namespace scenarios
