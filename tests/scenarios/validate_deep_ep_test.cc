#include "scenarios/validate_deep_ep.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "sim/data_path.h"

namespace scenarios {
namespace {

const char kHeader[] =
    "gpu,op,nodes,n_gpus,tokens_per_rank,hidden,topk,experts,sms,payload_dtype,"
    "time_us,source,split\n";

absl::StatusOr<std::vector<Prediction>> Predict(const std::string& rows) {
  const absl::StatusOr<sim::CsvFile> csv =
      sim::CsvFile::Parse("t.csv", kHeader + rows);
  EXPECT_TRUE(csv.ok()) << csv.status();
  EXPECT_TRUE(IsDeepEpTable(*csv));
  return PredictDeepEp(*csv);
}

TEST(PredictDeepEp, PricesARowAndSaysWhichOneItWas) {
  const auto predictions =
      Predict("h100,normal-dispatch,1,8,4096,7168,8,256,24,fp8,498,x,dev\n");
  ASSERT_TRUE(predictions.ok()) << predictions.status();
  const Prediction& p = predictions->front();
  EXPECT_EQ(p.id,
            "normal-dispatch, 4096 tokens of 7168 fp8, 8 of 256 experts, 8 "
            "GPUs in 1 node, 24 SMs");
  EXPECT_EQ(p.group, "h100 normal-dispatch");
  EXPECT_EQ(p.measured, 498);
  // 4096 rows of 7392 bytes, each to 5.3 of 8 ranks, 7 of 8 over NVLink: 140 MB
  // at 0.76 of 450 GB/s are 409 us, and the kernel's own work as much.
  EXPECT_NEAR(p.predicted, 500, 30);
}

TEST(PredictDeepEp, SaysWhyARowHasNoPrice) {
  const auto why = [](const std::string& row) {
    const auto predictions = Predict(row);
    EXPECT_TRUE(predictions.ok()) << predictions.status();
    return predictions->front().reason;
  };
  EXPECT_EQ(why("h100,sideways,1,8,4,64,2,8,24,fp8,9,x,dev\n"),
            "unknown op sideways");
  EXPECT_EQ(why("a100,ll-combine,1,8,4,64,2,8,0,bf16,9,x,dev\n"),
            "no cluster file for a100 with DeepEP");
  EXPECT_EQ(why("h100,ll-combine,1,8,4,64,2,8,0,fp4,9,x,dev\n"),
            "unknown dtype fp4");
  EXPECT_EQ(why("h100,ll-combine,2,9,4,64,2,8,0,bf16,9,x,dev\n"),
            "9 GPUs do not spread evenly over 2 nodes of 8");
  EXPECT_EQ(why("h100,ll-combine,1,8,4,64,9,8,0,bf16,9,x,dev\n"),
            "a token cannot take 9 of 8 experts");
  // Four of eight nodes hold 64 of 128 experts.
  EXPECT_EQ(why("h100,normal-combine,8,64,4,64,65,128,24,bf16,9,x,dev\n"),
            "a token cannot take 65 of 64 experts");
  EXPECT_EQ(
      why("h100,normal-combine,8,64,4,64,8,256,24,bf16,9,"
          "aiconfigurator-deepep-0.5.6.post2,dev\n"),
      "fabric not well: normal kernels over 8 nodes reach 16 of 50 GB/s a "
      "port, over 2 nodes 44");
}

TEST(PredictDeepEp, SaysWhichCellIsWrong) {
  EXPECT_EQ(Predict("h100,normal-combine,1,8,4,64,2,8,0,bf16,9,x,dev\n")
                .status()
                .message(),
            "t.csv:2:34: sms: 0 is out of range; write 1 to 4096");
}

TEST(MeasuredDeepEp, IsWithinFifteenPercentOnWellFabrics) {
  const char* set = std::getenv("ORRERY_DATA");
  const std::filesystem::path data = set != nullptr
                                         ? std::filesystem::path(set)
                                         : sim::DataPath("../shared/data");
  const std::filesystem::path path = data / "ops/deepep.csv";
  if (!std::filesystem::exists(path)) {
    GTEST_SKIP() << "no measured data; set ORRERY_DATA to it";
  }
  const auto predictions = PredictDeepEp(*sim::CsvFile::Load(path.string()));
  ASSERT_TRUE(predictions.ok()) << predictions.status();
  std::map<std::string, std::pair<double, int>> errors;
  int64_t skipped = 0;
  for (const Prediction& p : *predictions) {
    if (p.status == PredictionStatus::kSkipped) {
      ++skipped;
      continue;
    }
    auto& [sum, rows] = errors[p.group];
    sum += std::abs(RelativeError(p));
    ++rows;
  }
  EXPECT_EQ(errors.size(), 16);
  // Normal kernels over 8 nodes: 15 token counts, 4 counts of SMs, 2 directions
  // and 2 GPUs.
  EXPECT_EQ(skipped, 15 * 4 * 2 * 2);
  for (const auto& [group, error] : errors) {
    EXPECT_LT(error.first / error.second, 0.15) << group;
  }
}

}  // namespace
}  // namespace scenarios
