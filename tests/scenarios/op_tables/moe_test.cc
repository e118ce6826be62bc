#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "scenarios/op_tables/op_tables.h"
#include "scenarios/validate_ops.h"
#include "sim/data_path.h"

namespace scenarios {
namespace {

const char kHeader[] =
    "gpu,dtype,num_tokens,hidden,inter,topk,experts,moe_tp,moe_ep,distribution,"
    "time_us,source,model,split\n";

std::vector<MeasuredOp> Ops(const std::string& rows) {
  const absl::StatusOr<sim::CsvFile> csv =
      sim::CsvFile::Parse("t.csv", kHeader + rows);
  EXPECT_TRUE(csv.ok()) << csv.status();
  EXPECT_EQ(FindOpTable(*csv)->name, "moe");
  absl::StatusOr<std::vector<MeasuredOp>> ops = ReadOps(*csv);
  EXPECT_TRUE(ops.ok()) << ops.status();
  return *std::move(ops);
}

std::string KernelsOf(const MeasuredOp& op) {
  std::string text;
  for (const models::Kernel& kernel : op.kernels) {
    text += models::Dump(kernel) + "\n";
  }
  return text;
}

TEST(MoeOp, HoldsItsShareOfExpertsAndWidth) {
  const auto ops = Ops(
      "h100,bf16,64,7168,2048,8,256,2,32,balanced,90,x-trtllm-1.3,deepseek-v3,"
      "dev\n");
  // 8 of 256 experts, 1024 of 2048 columns, 64 · 8 / 32 = 16 rows.
  EXPECT_EQ(KernelsOf(ops[0]),
            "expert permute cutlass read 229376 written 229376 bf16\n"
            "grouped gemm cutlass 8 experts 16x2048x7168 bf16\n"
            "expert activation cutlass read 65536 written 32768 bf16\n"
            "grouped gemm cutlass 8 experts 16x7168x1024 bf16\n"
            "expert unpermute cutlass read 229376 written 917504 bf16\n");
  EXPECT_EQ(ops[0].family, "bf16 cutlass balanced");
  EXPECT_EQ(ops[0].layout, "7168x2048 / 2 of 256 / 32");
  EXPECT_EQ(ops[0].skipped, "");
}

TEST(MoeOp, VisitsEveryChoiceWithVllmAndChoosesExpertsWithSglang) {
  const auto ops =
      Ops("h100,fp8_block,64,4096,14336,2,8,1,4,balanced,90,x-vllm-0.19,m,dev\n"
          "h100,bf16,64,4096,14336,2,8,1,1,balanced,90,x-sglang-0.5,m,dev\n");
  // 64 tokens · 2 choices, of which a quarter is held.
  EXPECT_EQ(std::get<models::ExpertPass>(ops[0].kernels[2]).read.count(),
            128 * (28672 * 2 + 14336 * 2));
  EXPECT_EQ(std::get<models::GroupedGemm>(ops[0].kernels[1]).rows.rows, 32);
  EXPECT_EQ(std::get<models::ExpertPass>(ops[1].kernels[0]).step,
            models::ExpertStep::kRoute);
}

TEST(MoeOp, FixesTilesWhereNoneAreTuned) {
  const auto tile = [](const std::string& row) {
    const auto ops = Ops(row);
    const auto& kernels = ops[0].kernels;
    const auto& gemm =
        std::get<models::GroupedGemm>(kernels[kernels.size() - 4]);
    return std::pair(gemm.tile_m, gemm.tile_n);
  };
  using Tile = std::pair<int64_t, int64_t>;
  const std::string dsv3 = "7168,2048,8,256,2,1,balanced,90,";
  EXPECT_EQ(tile("h100,bf16,256," + dsv3 + "x-sglang-0.5,m,dev\n"),
            Tile(16, 32));
  EXPECT_EQ(tile("h100,bf16,257," + dsv3 + "x-sglang-0.5,m,dev\n"),
            Tile(64, 64));
  EXPECT_EQ(tile("h100,bf16,256," + dsv3 + "x-vllm-0.19,m,dev\n"), Tile(0, 0));
  EXPECT_EQ(tile("a100,bf16,256," + dsv3 + "x-vllm-0.14,m,dev\n"),
            Tile(16, 32));
  EXPECT_EQ(tile("h100,fp8_block,256," + dsv3 + "x-sglang-0.5,m,dev\n"),
            Tile(0, 0));
}

TEST(MoeOp, SaysWhyARowHasNoPrice) {
  const auto why = [](const std::string& row) { return Ops(row)[0].skipped; };
  EXPECT_EQ(why("h100,int4,64,64,64,2,8,1,1,balanced,9,x-vllm-0,m,dev\n"),
            "no law prices int4 expert layers");
  EXPECT_EQ(why("h100,bf16,64,64,64,2,8,1,1,balanced,9,tutel,m,dev\n"),
            "no law prices expert layers of tutel");
  EXPECT_EQ(why("h100,bf16,64,64,64,2,8,1,1,zipf,9,x-vllm-0,m,dev\n"),
            "unknown distribution zipf");
  EXPECT_EQ(why("h100,bf16,64,64,64,9,8,1,1,balanced,9,x-vllm-0,m,dev\n"),
            "a token cannot take 9 of 8 experts");
  EXPECT_EQ(why("h100,bf16,64,64,64,2,8,1,3,balanced,9,x-vllm-0,m,dev\n"),
            "3 x 1 ranks do not divide 8 experts of width 64");
  const auto fp8 = PredictOps(*sim::CsvFile::Parse(
      "t.csv", std::string(kHeader) +
                   "a100,fp8_block,64,64,64,2,8,1,1,balanced,9,x-vllm-0,m,"
                   "dev\n"));
  EXPECT_EQ(fp8->front().reason,
            "a100-sxm-80gb has no fp8 tensor cores; it supports fp32, tf32, "
            "fp16, bf16, int8, int4");
}

TEST(MoeOp, SaysWhichCellIsWrong) {
  const auto ops = ReadOps(*sim::CsvFile::Parse(
      "t.csv", std::string(kHeader) +
                   "h100,bf16,0,64,64,2,8,1,1,balanced,9,x-vllm-0,m,dev\n"));
  EXPECT_EQ(ops.status().message(),
            "t.csv:2:11: num_tokens: 0 is out of range; write 1 to 4194304");
}

TEST(MeasuredExpertLayers, AreWithinTheirBars) {
  const char* set = std::getenv("ORRERY_DATA");
  const std::filesystem::path data = set != nullptr
                                         ? std::filesystem::path(set)
                                         : sim::DataPath("../shared/data");
  const std::filesystem::path path = data / "ops/moe.csv";
  if (!std::filesystem::exists(path)) {
    GTEST_SKIP() << "no measured data; set ORRERY_DATA to it";
  }
  const auto predictions = PredictOps(*sim::CsvFile::Load(path.string()));
  ASSERT_TRUE(predictions.ok()) << predictions.status();
  std::map<std::string, std::pair<double, int>> errors;
  for (const Prediction& p : *predictions) {
    ASSERT_EQ(p.status, PredictionStatus::kOk) << p.reason;
    const double error = std::abs(RelativeError(p));
    auto& [sum, rows] = errors[p.group];
    sum += error;
    ++rows;
  }
  EXPECT_GE(errors.size(), 19);
  for (const auto& [group, error] : errors) {
    EXPECT_LT(error.first / error.second,
              absl::StartsWith(group, "a100") ? 0.20 : 0.15)
        << group;
  }
}

}  // namespace
}  // namespace scenarios
