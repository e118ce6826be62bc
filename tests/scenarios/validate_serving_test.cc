#include "scenarios/validate_serving.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "scenarios/validation_report.h"

namespace scenarios {
namespace {

constexpr char kHeader[] =
    "run_id,tier,quality,source,engine,engine_version,gpu,tp,pp,dp,model,"
    "precision,kv_dtype,mode,batch_size,concurrency,request_rate_rps,"
    "num_requests,max_num_seqs,input_len,output_len,length_dist,"
    "output_tput_tok_s,ttft_mean_ms,tpot_mean_ms\n";

std::vector<Prediction> Predict(const std::string& rows) {
  const sim::CsvFile csv =
      sim::CsvFile::Parse("runs.csv", absl::StrCat(kHeader, rows)).value();
  return PredictServing(csv, RulesFor(csv).value(), 1);
}

TEST(ValidateServing, EachMeasuredFigureOfARowIsPredicted) {
  const std::vector<Prediction> rows = Predict(
      "a,core,A,s,vLLM,0.11,H100-SXM-80GB,1,1,1,llama-3.1-8b,bf16,auto,"
      "closed_loop,,4,,40,,512,64,fixed,500,30,7\n");
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].metric, "output_tput_tok_s");
  EXPECT_EQ(rows[2].metric, "tpot_mean_ms");
  for (const Prediction& p : rows) {
    EXPECT_EQ(p.status, PredictionStatus::kOk) << p.reason;
    EXPECT_GT(p.predicted, 0);
    EXPECT_TRUE(p.scored);
  }
  // Four users, 64 tokens each: throughput = 4 · 64 / (ttft + 63 · tpot).
  const double e2e = rows[1].predicted + 63 * rows[2].predicted;
  EXPECT_NEAR(rows[0].predicted, 4 * 64 / (e2e * 1e-3), 10);
}

TEST(ValidateServing, WhatCannotBeModelledSaysWhy) {
  const std::vector<Prediction> rows = Predict(
      "a,core,A,s,vLLM,0.11,H100-SXM-80GB,1,1,1,llama-3.1-8b,bf16,auto,"
      "spec_decode,,4,,40,,512,64,fixed,500,,\n"
      "b,ext,C,s,vLLM,0.11,H100-SXM-80GB,1,1,1,llama-3.3-70b,bf16,auto,"
      "closed_loop,,4,,40,,512,64,fixed,500,,\n");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_THAT(rows[0].reason, testing::HasSubstr("acceptance"));
  EXPECT_EQ(rows[1].reason, "does not fit in memory");
  EXPECT_FALSE(rows[1].scored);
}

TEST(ValidateServing, TheHeadlineIsOneForEachMetric) {
  const std::vector<Prediction> rows = Predict(
      "a,core,A,s,vLLM,0.11,H100-SXM-80GB,1,1,1,llama-3.1-8b,bf16,auto,"
      "closed_loop,,4,,40,,512,64,fixed,500,30,7\n");
  const std::vector<ErrorSummary> headlines = HeadlinesByMetric(rows);
  ASSERT_EQ(headlines.size(), 3u);
  EXPECT_EQ(headlines[1].group, "ttft_mean_ms, mean over sources");
}

}  // namespace
}  // namespace scenarios
