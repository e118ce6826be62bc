#include "scenarios/suite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "scenarios/load.h"
#include "scenarios/run.h"
#include "scenarios/table_rules.h"
#include "scenarios/validate_runs.h"
#include "scenarios/validate_suite.h"
#include "scenarios/validation_report.h"
#include "sim/data_path.h"

namespace scenarios {
namespace {

using testing::ElementsAre;

constexpr char kSuite[] =
    "defaults {\n"
    "  model { preset: \"gpt2\" }\n"
    "  cluster { preset: \"dgx-a100-80gb\" }\n"
    "  training {\n"
    "    sequence_length: 1024 global_batch: 64 micro_batch: 8\n"
    "    parallel { pipeline: 4 chunk_layers: [3, 3, 3, 3] }\n"
    "  }\n"
    "  measured { source: \"a paper\" }\n"
    "}\n"
    "run { name: \"a\" measured { step_seconds: 2 } }\n"
    "run {\n"
    "  name: \"b\"\n"
    "  training { micro_batch: 4 parallel { chunk_layers: [2, 4, 3, 3] } }\n"
    "  measured { tokens_per_second_per_gpu: 1000 peak_allocated_gib: 3 }\n"
    "}\n";

std::string MessageOf(const std::string& text, size_t run = 0) {
  const absl::StatusOr<Suite> suite = ParseSuite("s.textproto", text);
  if (!suite.ok()) return std::string(suite.status().message());
  const absl::StatusOr<ScenarioFile> scenario = RunOf(*suite, run);
  if (!scenario.ok()) return std::string(scenario.status().message());
  const absl::StatusOr<Inputs> inputs = InputsOf(*scenario);
  return inputs.ok() ? "loads" : std::string(inputs.status().message());
}

TEST(Suite, ARunIsMergedOverTheDefaultsFieldByFieldAndListsReplace) {
  const Suite suite = *ParseSuite("s.textproto", kSuite);
  const ScenarioFile b = *RunOf(suite, 1);
  EXPECT_EQ(b.scenario.model().preset(), "gpt2");
  EXPECT_EQ(b.scenario.training().sequence_length(), 1024);
  EXPECT_EQ(b.scenario.training().micro_batch(), 4);
  EXPECT_THAT(b.scenario.training().parallel().chunk_layers(),
              ElementsAre(2, 4, 3, 3));
  EXPECT_EQ(b.scenario.measured().source(), "a paper");
  EXPECT_FALSE(b.scenario.measured().has_step_seconds());
  EXPECT_EQ(OriginOf(b, "training.micro_batch"), "s.textproto:13");
  EXPECT_EQ(OriginOf(b, "training.global_batch"), "s.textproto:5");
}

TEST(Suite, SetsComeLast) {
  const Suite suite = *ParseSuite("s.textproto", kSuite);
  const std::string sets[] = {"training.micro_batch=2"};
  EXPECT_EQ(RunOf(suite, 1, sets)->training.micro_batch(), 2);
}

TEST(Suite, ErrorsStandWhereTheFieldDoesAndNameTheRun) {
  std::string many = "defaults {\n  model { preset: \"gpt2\" }\n"
                     "  cluster { preset: \"dgx-a100-80gb\" }\n"
                     "  training { sequence_length: 1024 global_batch: 64 }\n"
                     "}\n";
  for (int run = 0; run < 17; ++run) {
    many += "run { name: \"r" + std::to_string(run) + "\" }\n";
  }
  // Lines 6 to 22 are runs 0 to 16; the next is line 23.
  EXPECT_EQ(MessageOf(many + "run { name: \"x\" training { mico_batch: 2 } }\n"),
            "s.textproto:23:28: run[17].training.mico_batch: no such field; "
            "did you mean \"micro_batch\"?");
  EXPECT_EQ(
      MessageOf(many + "run { name: \"x\" training { parallel { pipeline: 7 "
                       "} } }\n",
                17),
      "s.textproto:23:28: run[17].training.parallel: tensor 1 x context 1 x "
      "pipeline 7 = 7 does not divide the cluster's 8 GPUs; 1, 2, 4 or 8 "
      "would");
  EXPECT_EQ(MessageOf(many + "run { name: \"x\" training { micro_batch: 0 } }\n",
                      17),
            "s.textproto:23:28: run[17].training.micro_batch: 0 is below 1; 1 "
            "to 1000000000 works");
  // What is wrong in the defaults is wrong there.
  EXPECT_EQ(MessageOf("defaults {\n  model { preset: \"gtp2\" }\n"
                      "  cluster { preset: \"dgx-h100\" }\n"
                      "  training { sequence_length: 1 global_batch: 8 }\n}\n"
                      "run { name: \"x\" }\n"),
            "s.textproto:2:11: run[0].model.preset: there is no model "
            "\"gtp2\" in the zoo; did you mean \"gpt2\"?");
  // What is missing is missing from the run.
  EXPECT_EQ(MessageOf("defaults {\n  model { preset: \"gpt2\" }\n}\n"
                      "run { name: \"x\" }\n"),
            "s.textproto:4:1: run[0].cluster: is missing; e.g. cluster { "
            "preset: \"dgx-h100\" }");
}

TEST(Suite, RunsHaveNamesOfTheirOwnAndIncludeNothing) {
  EXPECT_EQ(MessageOf("defaults { }\n"),
            "s.textproto:1:1: run: there is none; e.g. run { name: \"a\" }");
  EXPECT_EQ(MessageOf("run { }\n"),
            "s.textproto:1:1: run[0]: needs a name; e.g. name: \"gpt-175b\"");
  EXPECT_EQ(MessageOf("run { name: \"a\" }\nrun { name: \"b\" }\n"
                      "run { name: \"a\" }\n"),
            "s.textproto:3:7: run[2].name: \"a\" is run[0] already; give it "
            "another");
  EXPECT_EQ(MessageOf("defaults { name: \"a\" }\nrun { name: \"b\" }\n"),
            "s.textproto:1:12: defaults.name: would name every run alike; "
            "leave it out");
  EXPECT_EQ(MessageOf("run { name: \"a\" include: \"b.textproto\" }\n"),
            "s.textproto:1:17: run[0].include: runs include nothing; write it "
            "at the top of the suite");
}

TEST(Suite, IsNamedWhereAScenarioMayStand) {
  const std::string path = testing::TempDir() + "s.textproto";
  std::ofstream(path) << kSuite;
  EXPECT_EQ(ReadScenario(path + ":b")->scenario.name(), "b");
  EXPECT_EQ(std::string(ReadScenario(path + ":c").status().message()),
            path + ": has no run \"c\"; known runs are a, b");
  EXPECT_EQ(std::string(ReadScenario(path).status().message()),
            path + ": is a suite of 2 runs; name one, as in " + path +
                ":a, or let `orrery validate " + path +
                "` predict them all");
  EXPECT_EQ(ReadScenario("korthikanti-2022:gpt-22b-8xa100")
                ->scenario.measured()
                .step_seconds(),
            1.42);
}

// Stands in for the simulator: a microbatch takes a second, and a gibibyte.
absl::StatusOr<RunFigures> ASecondAMicrobatch(const Inputs& inputs) {
  const auto count = static_cast<double>(inputs.training.microbatches());
  return RunFigures{count, count, 2 * count};
}

TEST(PredictSuite, GivesEachMeasuredFigureItsPrediction) {
  const std::string unmeasured = "run { name: \"c\" }\n";
  std::string text = kSuite;
  const std::string shared = "  measured { source: \"a paper\" }\n";
  text.erase(text.find(shared), shared.size());
  text.insert(text.find("step_seconds"), "source: \"x\" ");
  text.insert(text.find("tokens_per"), "source: \"x\" ");
  const Suite suite = *ParseSuite("s.textproto", text + unmeasured);
  const auto rows = PredictSuite(suite, 2, ASecondAMicrobatch);
  ASSERT_TRUE(rows.ok()) << rows.status().message();
  // a: 64 / (8 x data 2) = 4 microbatches; b: 64 / (4 x 2) = 8. b's rate is
  // 64 x 1,024 tokens / 8 GPUs / 1,000 tokens/s = 8.192 s.
  EXPECT_EQ(ToCsv(*rows),
            "row,run_id,metric,measured,predicted,error,status,reason\n"
            "1,a,step_seconds,2,4,1.0000,ok,\n"
            "2,b,step_seconds,8.192,8,-0.0234,ok,\n"
            "2,b,peak_allocated_gib,3,8,1.6667,ok,\n"
            "3,c,step_seconds,,,,skipped,nothing was measured\n");
  // A peak of memory is no part of the headline.
  EXPECT_EQ(Headline(*rows).modelled, 2);
  EXPECT_EQ(SummariseGroups(*rows).back().group, "s peak_allocated_gib");
}

TEST(PredictSuite, FailsOnARunThatDoesNotLoad) {
  std::string text = kSuite;
  text.replace(text.find("micro_batch: 4"), 14, "micro_batch: 3");
  const Suite suite = *ParseSuite("s.textproto", text);
  EXPECT_EQ(std::string(
                PredictSuite(suite, 1, ASecondAMicrobatch).status().message()),
            "s.textproto:5:27: run[1].training.global_batch: 64 is not a "
            "multiple of micro_batch 3 x data 2 = 6; 60 or 66 would");
}

TEST(PublishedSuites, LoadAndNameTheSourceOfEachRun) {
  size_t runs = 0;
  for (const std::string& name : PublishedSuites()) {
    const absl::StatusOr<Suite> suite = LoadSuite(SuiteFileOf(name).value());
    ASSERT_TRUE(suite.ok()) << suite.status().message();
    EXPECT_NE(suite->fields.describes(), "") << name;
    for (size_t run = 0; run < suite->runs(); ++run) {
      const absl::StatusOr<ScenarioFile> scenario = RunOf(*suite, run);
      ASSERT_TRUE(scenario.ok()) << scenario.status().message();
      const absl::StatusOr<Inputs> inputs = InputsOf(*scenario);
      ASSERT_TRUE(inputs.ok()) << inputs.status().message();
      ASSERT_TRUE(inputs->measured) << name << " " << run;
      EXPECT_GT(inputs->measured->source.size(), 10u) << name << " " << run;
    }
    runs += suite->runs();
  }
  EXPECT_GE(runs, 150u);
}

TEST(PublishedSuites, SayOfARunWhatTheTableSays) {
  const auto csv = sim::CsvFile::Load(
      sim::DataPath("scenarios/published/korthikanti-2022.csv").string());
  const TableRules rules = RulesFor(*csv).value();
  const Suite suite = *LoadSuite(SuiteFileOf("korthikanti-2022").value());
  size_t agree = 0;
  for (size_t row = 0; row < 2; ++row) {  // the two that simulate fastest
    const RunRow of_table = RowOf(rules, *csv, row);
    const auto table = Execute(InputsOfRow(of_table).value());
    for (size_t run = 0; run < suite.runs(); ++run) {
      const Inputs inputs = InputsOf(RunOf(suite, run).value()).value();
      if (inputs.measured->step_seconds != of_table.measured_seconds) continue;
      EXPECT_EQ(Execute(inputs)->timeline.makespan, table->timeline.makespan);
      ++agree;
    }
  }
  EXPECT_EQ(agree, 2u);
}

}  // namespace
}  // namespace scenarios
