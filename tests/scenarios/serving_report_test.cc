#include "scenarios/serving_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "scenarios/answer.h"
#include "scenarios/serving_run.h"
#include "tests/scenarios/figure_keys.h"

namespace scenarios {
namespace {

ServingInputs Small(const std::vector<std::string>& sets = {}) {
  std::vector<std::string> all = {
      "model.preset=llama3-8b",
      "cluster.preset=dgx-h100",
      "serving.workload.poisson.requests_per_second=20",
      "serving.workload.requests=200",
      "serving.workload.input.fixed=700",
      "serving.workload.output.uniform={ least: 20 most: 80 }",
      "serving.slo=[{ ttft_ms: 60 tpot_ms: 20 }]"};
  all.insert(all.end(), sets.begin(), sets.end());
  return ServingInputsOf(ParseScenario("small", "name: \"a\"\n", all).value())
      .value();
}

TEST(ServingFigures, EveryFieldOfAReportHasExactlyOneRow) {
  const std::set<std::string> fields =
      FigureKeysOf(*ServingReport::descriptor());
  std::set<std::string> rows;
  for (const FigureRow& row : ServingFigureRows()) {
    EXPECT_TRUE(rows.insert(std::string(row.key)).second) << row.key;
    EXPECT_FALSE(row.meaning.empty()) << row.key;
  }
  EXPECT_EQ(rows, fields);
}

TEST(ServingReport, PartsSumToTheMeanLatency) {
  const ServingInputs inputs = Small();
  const ServingReport report = Summarize(inputs, Serve(inputs));
  double parts = 0;
  for (const PartOfLatency& part : report.parts()) parts += part.mean_ms();
  double e2e = 0;
  for (const Latency& l : report.latency()) {
    if (l.kind() == "e2e") e2e = l.mean_ms();
  }
  EXPECT_GT(e2e, 0);
  EXPECT_NEAR(parts, e2e, e2e * 1e-9);
}

TEST(ServingReport, TokensAreAllAccountedFor) {
  const ServingInputs inputs = Small();
  const ServingOutcome outcome = Serve(inputs);
  EXPECT_EQ(outcome.served.arrived, 200);
  EXPECT_EQ(outcome.served.done, 200);
  EXPECT_EQ(outcome.served.tokens, outcome.output_tokens);
  EXPECT_EQ(outcome.input_tokens, 200 * 700);
}

TEST(ServingReport, IsEqualToTheByteTwice) {
  const ServingInputs inputs = Small();
  EXPECT_EQ(ToJson(Summarize(inputs, Serve(inputs))),
            ToJson(Summarize(inputs, Serve(Small()))));
}

TEST(ServingReport, JsonHoldsWhatTextSays) {
  const ServingInputs inputs = Small();
  const ServingReport report = Summarize(inputs, Serve(inputs));
  const auto json = nlohmann::json::parse(ToJson(report));
  EXPECT_EQ(json["answered"].get<std::string>(), "200");
  EXPECT_NE(ToText(report).find("200 of 200 answered"), std::string::npos);
}

TEST(ServingReport, ExcludedRequestsAreRunButNotCounted) {
  const ServingInputs inputs = Small({"serving.workload.exclude={ "
                                      "first_requests: 20 last_requests: 30 }"});
  const ServingOutcome outcome = Serve(inputs);
  EXPECT_EQ(outcome.served.done, 200);
  EXPECT_EQ(outcome.counted, 150);
}

TEST(ServingReport, ClassesAreDrawnByTheirShares) {
  const ServingInputs inputs =
      Small({"serving.workload.requests=4000",
             "serving.slo=[{ name: \"gold\" ttft_ms: 60 share: 1 }, { name: "
             "\"bulk\" e2e_ms: 60000 share: 3 }]"});
  const ServingOutcome outcome = Serve(inputs);
  // A quarter of 4,000, give or take three standard deviations of 27.
  EXPECT_NEAR(static_cast<double>(outcome.of_class[0]), 1000, 82);
  EXPECT_EQ(outcome.of_class[0] + outcome.of_class[1], 4000);
}

TEST(ServingReport, TheIntervalsHoldEveryRequest) {
  const ServingInputs inputs = Small({"serving.interval_seconds=2"});
  const ServingReport report = Summarize(inputs, Serve(inputs));
  int64_t arrived = 0, answered = 0;
  for (const IntervalOfRun& in : report.series()) {
    arrived += in.arrived();
    answered += in.answered();
  }
  EXPECT_EQ(arrived, 200);
  EXPECT_EQ(answered, 200);
}

}  // namespace
}  // namespace scenarios
