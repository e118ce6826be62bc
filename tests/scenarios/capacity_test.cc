#include "scenarios/capacity.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "scenarios/answer.h"
#include "scenarios/capacity_report.h"
#include "scenarios/edge.h"
#include "scenarios/scenario_file.h"
#include "scenarios/serving_run.h"

namespace scenarios {
namespace {

// An engine that answers one request at a time, each as long as the others.
std::string OneAtATime(const std::string& arrivals, const std::string& more) {
  return absl::StrCat(
      "model { preset: \"gpt2\" } cluster { preset: \"dgx-h100\" }\n"
      "serving { max_num_seqs: 1 enable_prefix_caching: false\n"
      "  engine { process { request_ms: 0 admit_us: 0 admit_token_us: 0 } }\n"
      "  workload { ",
      arrivals,
      " requests: 1000\n"
      "    input { fixed: 64 } output { fixed: 16 } }\n  ",
      more, " }\n");
}

absl::StatusOr<ServingInputs> InputsFrom(const std::string& text) {
  const absl::StatusOr<ScenarioFile> file =
      ParseScenario("c.textproto", text);
  if (!file.ok()) return file.status();
  const absl::Status asked = CheckAsked(*file);
  if (!asked.ok()) return asked;
  return ServingInputsOf(*file);
}

ServingInputs Inputs(const std::string& text) {
  absl::StatusOr<ServingInputs> inputs = InputsFrom(text);
  if (!inputs.ok()) ADD_FAILURE() << inputs.status();
  return *std::move(inputs);
}

// Of a request alone: to the first token, and to the last.
struct Alone {
  double ttft = 0, e2e = 0;
};
Alone TimesAlone() {
  const ServingOutcome o = Serve(
      Inputs(OneAtATime("closed_loop { concurrency: 1 }", "slo { tpot_ms: 9 }")),
      {.load = {.requests = 20}});
  return {o.ttft.Quantile(0.5), o.e2e.Quantile(0.5)};
}

TEST(WilsonInterval, OfNinetyFiveInAHundred) {
  // z = 1.96: middle (0.95 + 0.019207) / 1.038415 = 0.93335; half
  // 1.96 / 1.038415 * sqrt(0.000475 + 0.000096) = 0.04511.
  const Confidence c = WilsonInterval(0.95, 100);
  EXPECT_NEAR(c.low, 0.8882, 1e-4);
  EXPECT_NEAR(c.high, 0.9785, 1e-4);
}

TEST(WilsonInterval, OfAllIsNotCertain) {
  // n / (n + z^2) = 100 / 103.84
  EXPECT_NEAR(WilsonInterval(1, 100).low, 0.9630, 1e-4);
  EXPECT_NEAR(WilsonInterval(1, 100).high, 1, 1e-12);
}

TEST(ShareInterval, IsWiderWhereMissesComeInBunches) {
  std::vector<bool> spread(1000, true), bunched(1000, true);
  for (size_t i = 0; i < 1000; i += 20) spread[i] = false;
  for (size_t i = 500; i < 550; ++i) bunched[i] = false;
  const Confidence even = ShareInterval(spread), uneven = ShareInterval(bunched);
  EXPECT_NEAR(even.low, WilsonInterval(0.95, 1000).low, 1e-12);
  // All misses are in one batch of 20: the variance of means, 50 * 0.05 / 1000
  // … 0.05, is that of 1000 / 50 * 19 / 20 draws, about: far fewer than 1000.
  EXPECT_LT(uneven.low, 0.8);
  EXPECT_GT(uneven.high, 0.98);
}

TEST(FindEdge, HalvesUntilTheToleranceIsMet) {
  const Edge edge = FindEdge(
      {.start = 1, .least = 0.01, .most = 1e6, .tolerance = 0.01},
      [](double x) { return x < 77.7 ? Side::kBelow : Side::kAbove; });
  EXPECT_LT(*edge.below, 77.7);
  EXPECT_GE(*edge.above, 77.7);
  EXPECT_LE(*edge.above / *edge.below, 1.01);
}

TEST(FindEdge, OfWholeNumbersIsExact) {
  for (const double start : {1.0, 36.0, 37.0, 38.0, 900.0}) {
    const Edge edge = FindEdge({.start = start,
                                .least = 1,
                                .most = 1000,
                                .tolerance = 0,
                                .whole = true},
                               [](double x) {
                                 return x < 37 ? Side::kBelow : Side::kAbove;
                               });
    EXPECT_EQ(edge.below, 36) << start;
    EXPECT_EQ(edge.above, 37) << start;
  }
}

TEST(FindEdge, StopsAtTheEndsAndWhereThereIsNoOtherSide) {
  const EdgeSearch search{.start = 4, .least = 1, .most = 100};
  EXPECT_FALSE(FindEdge(search, [](double) { return Side::kBelow; }).above);
  EXPECT_FALSE(FindEdge(search, [](double) { return Side::kAbove; }).below);
  const Edge edge = FindEdge(search, [](double x) {
    return x > 2 ? Side::kAbove : Side::kNowhere;
  });
  EXPECT_EQ(edge.above, 2);
  EXPECT_FALSE(edge.below);
}

TEST(HighestLoad, OfConstantArrivalsIsOneOverTheServiceTime) {
  const Alone alone = TimesAlone();
  // Below 1 / service nobody waits, above it waits grow without end: 6 times the
  // service time is met by all, then by few, who mostly wait.
  const std::string slo = absl::StrCat("slo { e2e_ms: ", alone.e2e * 6000, " }");
  const Capacity c = HighestLoad(
      Inputs(OneAtATime("constant { requests_per_second: 1 }", slo)), {});
  ASSERT_TRUE(c.at);
  EXPECT_NEAR(c.at->load * alone.e2e, 1, 0.011);
  ASSERT_TRUE(c.beyond);
  EXPECT_LE(c.beyond->load / c.at->load, 1.0101);
  EXPECT_TRUE(c.separate());
  EXPECT_EQ(c.limit.cause, Cause::kSequences);
}

TEST(HighestLoad, IsBoundedWhereOnlyTheQueueIsEndless) {
  const Alone alone = TimesAlone();
  // TPOT is met at any load: the queue has no part in it.
  const Capacity c = HighestLoad(
      Inputs(OneAtATime("constant { requests_per_second: 1 }",
                        "slo { tpot_ms: 1000 }")),
      {});
  ASSERT_TRUE(c.at && c.beyond);
  // A growth of waits by half a percent is put down to chance.
  EXPECT_NEAR(c.at->load * alone.e2e, 1, 0.016);
  EXPECT_EQ(c.limit, (Limit{Miss::kUnstable, Cause::kSequences}));
}

TEST(HighestLoad, OfPoissonArrivalsIsWhatErlangSays) {
  const Alone alone = TimesAlone();
  // M/D/1 (Erlang 1909): P(W <= one service time) = (1 - rho) e^rho, which is
  // 0.9 at rho = 0.3917.
  const std::string slo =
      absl::StrCat("slo { ttft_ms: ", (alone.ttft + alone.e2e) * 1000,
                   " attainment: 0.9 }");
  const ServingInputs inputs =
      Inputs(OneAtATime("poisson { requests_per_second: 1 }", slo));
  const Capacity c = HighestLoad(inputs, {});
  ASSERT_TRUE(c.at);
  ASSERT_TRUE(c.surely_meets) << ToText(ReportHighestLoad(inputs, c));
  const double exact = 0.3917 / alone.e2e;
  EXPECT_NEAR(c.at->load / exact, 1, 0.06);
  EXPECT_LE(*c.surely_meets, exact * 1.02);
  // Where the budget of requests is enough to tell.
  if (c.surely_misses) {
    EXPECT_GE(*c.surely_misses, exact * 0.98);
  }
}

TEST(HighestLoad, IsLowerUnderAStricterObjective) {
  const Alone alone = TimesAlone();
  double last = 0;
  for (const double services : {0.5, 1.0, 2.0, 4.0}) {
    const std::string slo =
        absl::StrCat("slo { ttft_ms: ",
                     (alone.ttft + services * alone.e2e) * 1000,
                     " attainment: 0.9 }");
    const Capacity c = HighestLoad(
        Inputs(OneAtATime("poisson { requests_per_second: 1 }", slo)),
        {.requests = 1000, .most_simulated = 0});
    ASSERT_TRUE(c.at) << services;
    EXPECT_GT(c.at->load, last) << services;
    last = c.at->load;
  }
}

TEST(HighestLoad, OfAClosedLoopIsAWholeNumberOfUsers) {
  const Alone alone = TimesAlone();
  // Of n users each waits for the n - 1 others: n services to the last token.
  const std::string slo = absl::StrCat("slo { e2e_ms: ", alone.e2e * 3500, " }");
  const Capacity c = HighestLoad(
      Inputs(OneAtATime("closed_loop { concurrency: 1 }", slo)), {});
  ASSERT_TRUE(c.at && c.beyond);
  EXPECT_EQ(c.at->load, 3);
  EXPECT_EQ(c.beyond->load, 4);
}

TEST(HighestLoad, IsNoneWhereOneRequestAloneMisses) {
  const Alone alone = TimesAlone();
  const std::string slo = absl::StrCat("slo { ttft_ms: ", alone.ttft * 900, " }");
  const ServingInputs inputs =
      Inputs(OneAtATime("poisson { requests_per_second: 8 }", slo));
  const Capacity c = HighestLoad(inputs, {});
  EXPECT_FALSE(c.at);
  ASSERT_TRUE(c.beyond);
  EXPECT_EQ(c.limit, (Limit{Miss::kTtft, Cause::kPrefill}));
  EXPECT_FALSE(ReportHighestLoad(inputs, c).meets());
}

TEST(FewestEngines, IsTheLoadOverTheLoadOfOneRoundedUp) {
  const Alone alone = TimesAlone();
  const std::string slo = absl::StrCat("slo { e2e_ms: ", alone.e2e * 1500, " }");
  const ServingInputs inputs =
      Inputs(OneAtATime("constant { requests_per_second: 1 }", slo));
  const Capacity c = FewestEngines(inputs, 4.5 / alone.e2e, {});
  ASSERT_TRUE(c.at && c.beyond);
  EXPECT_EQ(c.at->gpus, 5);
  EXPECT_EQ(c.beyond->gpus, 4);
}

TEST(CheckAsked, SaysWhatIsMissing) {
  const auto problem = [](const std::string& text) {
    return std::string(InputsFrom(text).status().message());
  };
  EXPECT_EQ(problem(OneAtATime("poisson { requests_per_second: 1 }", "")),
            "c.textproto:2:1: serving.slo: is missing; capacity is the load "
            "that meets it, e.g. slo { ttft_ms: 1000 tpot_ms: 50 }");
  EXPECT_EQ(problem(OneAtATime("all_at_once {}", "slo { tpot_ms: 9 }")),
            "c.textproto:4:3: serving.workload: has no rate of arrivals to "
            "change; poisson, gamma, constant, closed_loop or a trace with "
            "times works");
  EXPECT_EQ(problem("model { preset: \"gpt2\" }\n"),
            "c.textproto:1:1: serving: is missing; capacity is a question "
            "about serving");
}

}  // namespace
}  // namespace scenarios
