#include "scenarios/table_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "scenarios/validate_runs.h"
#include "scenarios/validation_report.h"

namespace scenarios {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// The columns of a table of runs that most tests need.
constexpr char kHeader[] =
    "run_id,source_key,tier,suspect,gpu,n_gpus,framework,family,layers,hidden,"
    "heads,vocab,seq_len,n_experts,tp,pp,dp,zero_stage,micro_batch,"
    "global_batch,recompute,precision,gated_mlp,task,measured_step_time_s\n";

sim::CsvFile Table(const std::string& rows) {
  return sim::CsvFile::Parse("runs.csv", kHeader + rows).value();
}

// GPT-2 on 8 A100: two replicas' worth of rows differ in what they lack.
constexpr char kGood[] =
    "a,lab,1,0,a100_sxm_80gb,8,fsdp,gpt,12,768,12,50257,1024,,1,1,8,3,4,64,"
    "none,bf16,0,pretrain,0.5\n";
constexpr char kExperts[] =
    "b,lab,1,0,a100_sxm_80gb,8,fsdp,gpt,12,768,12,50257,1024,8,1,1,8,3,4,64,"
    "none,bf16,0,pretrain,0.5\n";
constexpr char kWrongBatch[] =
    "c,lab,1,0,a100_sxm_80gb,8,fsdp,gpt,12,768,12,50257,1024,,1,1,8,3,4,63,"
    "none,bf16,0,pretrain,0.5\n";
constexpr char kTierTwo[] =
    "d,shop,2,0,a100_sxm_80gb,16,fsdp,gpt,12,768,12,50257,1024,,1,1,16,3,4,64,"
    "none,bf16,0,pretrain,0.25\n";

TEST(TableRules, AreFoundByTheColumns) {
  EXPECT_EQ(RulesFor(Table(kGood)).value().name, "training_runs");
  const auto vtrain = sim::CsvFile::Parse(
      "v.csv", "run_id,cluster,hidden,iteration_ms\nx,single-node,1024,7\n");
  EXPECT_EQ(RulesFor(*vtrain).value().name, "vtrain_runs");
  const auto other = sim::CsvFile::Parse("o.csv", "run_id,hidden\nx,1024\n");
  EXPECT_EQ(RulesFor(*other).status().message(),
            "its columns are of no known table; inference_runs needs engine, "
            "mode, input_len, output_tput_tok_s; training_runs needs gpu, "
            "n_gpus, framework, seq_len, measured_step_time_s; vtrain_runs "
            "needs iteration_ms, cluster");
}

TEST(TableRules, AMeasuredTimeIsANumberAboveZero) {
  for (const std::string time : {"nan", "inf", "-1", "0", "fast"}) {
    const sim::CsvFile csv = Table(
        "a,lab,1,0,a100_sxm_80gb,8,fsdp,gpt,12,768,12,50257,1024,,1,1,8,3,4,64,"
        "none,bf16,0,pretrain," +
        time + "\n");
    const RunRow row = RowOf(RulesFor(csv).value(), csv, 0);
    EXPECT_EQ(row.skip, "measured_step_time_s: \"" + time +
                            "\" is no time; write a number above 0");
    EXPECT_EQ(row.measured_seconds, 0);
  }
}

TEST(TableRules, ARowBecomesTheFieldsOfAScenario) {
  const sim::CsvFile csv = Table(kGood);
  const RunRow row = RowOf(RulesFor(csv).value(), csv, 0);
  EXPECT_EQ(row.id, "a");
  EXPECT_EQ(row.source, "lab");
  EXPECT_EQ(row.measured_seconds, 0.5);
  EXPECT_TRUE(row.scored);
  EXPECT_EQ(row.skip, "");
  EXPECT_THAT(row.sets, testing::IsSupersetOf({
                            std::string("model.transformer.layers=12"),
                            std::string("model.transformer.positions=LEARNED"),
                            std::string("cluster.preset=dgx-a100-80gb"),
                            std::string("cluster.nodes=1"),
                            std::string("cluster.gpus_per_node=8"),
                            std::string("training.profile=fsdp"),
                            std::string("training.global_batch=64"),
                        }));
  // The table has no column virtual_stages: its rule is left out.
  for (const std::string& set : row.sets) {
    EXPECT_THAT(set, testing::Not(HasSubstr("virtual_stages")));
  }
}

TEST(TableRules, TimesAreInSecondsWhateverTheColumn) {
  const auto csv = sim::CsvFile::Parse(
      "v.csv",
      "run_id,cluster,n_gpus,hidden,iteration_ms\nx,multi-node,16,1024,7\n");
  const RunRow row = RowOf(RulesFor(*csv).value(), *csv, 0);
  EXPECT_DOUBLE_EQ(row.measured_seconds, 0.007);
  EXPECT_THAT(row.sets, testing::Contains("cluster.nodes=2"));
}

TEST(TableRules, SkipsAndScoresByTheColumns) {
  const sim::CsvFile csv = Table(std::string(kExperts) + kTierTwo);
  const TableRules rules = RulesFor(csv).value();
  EXPECT_EQ(RowOf(rules, csv, 0).skip, "");
  EXPECT_TRUE(RowOf(rules, csv, 0).scored);
  EXPECT_THAT(RowOf(rules, csv, 0).sets,
              testing::Contains("model.transformer.experts.count=8"));
  EXPECT_EQ(RowOf(rules, csv, 1).skip, "");
  EXPECT_FALSE(RowOf(rules, csv, 1).scored);
}

// Stands in for the simulator: a step takes 10 ms for each microbatch.
absl::StatusOr<double> TenMsAMicrobatch(const Inputs& inputs) {
  return 0.010 * static_cast<double>(inputs.training.microbatches());
}

TEST(PredictRuns, GivesEachRowItsPredictionOrItsReason) {
  const sim::CsvFile csv =
      Table(std::string(kGood) + kExperts + kWrongBatch + kTierTwo);
  const std::vector<Prediction> rows =
      PredictRuns(csv, RulesFor(csv).value(), 2, TenMsAMicrobatch);
  // a: 64 / (4 x 8) = 2 microbatches; d: 64 / (4 x 16) = 1.
  EXPECT_EQ(
      ToCsv(rows),
      "row,run_id,metric,measured,predicted,error,status,reason\n"
      "1,a,step_seconds,0.5,0.02,-0.9600,ok,\n"
      "2,b,step_seconds,0.5,,,skipped,--set "
      "model.transformer.experts.count=8: model.transformer.experts.top_k: is "
      "missing; give 1..16384\n"
      "3,c,step_seconds,0.5,,,skipped,--set training.global_batch=63: "
      "training.global_batch: 63 is not a multiple of micro_batch 4 x data 8 "
      "= 32; 32 or 64 would\n"
      "4,d,step_seconds,0.25,0.01,-0.9600,ok,\n");
}

TEST(PredictRuns, GroupsBySource) {
  const sim::CsvFile csv = Table(std::string(kGood) + kTierTwo);
  std::vector<std::string> groups;
  for (const Prediction& p :
       PredictRuns(csv, RulesFor(csv).value(), 1, TenMsAMicrobatch)) {
    groups.push_back(p.group);
  }
  EXPECT_THAT(groups, ElementsAre("lab", "shop"));
}

Prediction Of(const std::string& source, double error, bool scored = true) {
  return {.id = "x",
          .group = source,
          .source = source,
          .scored = scored,
          .metric = "step_seconds",
          .measured = 1,
          .predicted = 1 + error};
}

TEST(ValidationReport, AGroupHasItsMedianMeanAndBias) {
  const std::vector<Prediction> rows = {Of("a", -0.1), Of("a", 0.2),
                                        Of("a", 0.3), Of("a", -0.4)};
  const ErrorSummary s = SummariseGroups(rows).front();
  EXPECT_EQ(s.rows, 4);
  EXPECT_NEAR(s.median_error, 0.25, 1e-12);  // of 0.1 0.2 0.3 0.4
  EXPECT_NEAR(s.mean_error, 0.25, 1e-12);
  EXPECT_NEAR(s.p90_error, 0.37, 1e-12);  // 0.7 of the way from 0.3 to 0.4
  EXPECT_NEAR(s.bias, 0.05, 1e-12);       // of -0.4 -0.1 0.2 0.3
}

TEST(ValidationReport, TheHeadlineWeighsSourcesAlikeAndLeavesOutUnscoredRows) {
  std::vector<Prediction> rows = {Of("a", 0.1), Of("a", 0.1), Of("a", 0.1),
                                  Of("b", -0.3), Of("b", 2.0, false)};
  rows.push_back(Of("c", 0));
  rows.back().status = PredictionStatus::kSkipped;
  rows.back().reason = "no reason";
  const ErrorSummary s = Headline(rows);
  EXPECT_EQ(s.rows, 5);
  EXPECT_EQ(s.modelled, 4);
  EXPECT_NEAR(s.median_error, 0.2, 1e-12);  // (0.1 + 0.3) / 2
  EXPECT_NEAR(s.bias, -0.1, 1e-12);         // (0.1 - 0.3) / 2
}

}  // namespace
}  // namespace scenarios
