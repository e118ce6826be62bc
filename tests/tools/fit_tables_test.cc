#include "tools/calibrate/fit_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "hardware/calibration.h"
#include "hardware/cost_model.h"

namespace tools {
namespace {

using testing::HasSubstr;

// Writes `text` to a file of that name and returns its path.
std::string File(const std::string& name, const std::string& text) {
  const std::string path = testing::TempDir() + name;
  std::ofstream(path) << text;
  return path;
}

constexpr char kHeader[] =
    "gpu,dtype,m,n,k,time_us,source,framework,act_quant_included,l2\n";

// A GEMM table of a machine whose kernels start 3 us later than ours, and are
// as fast from there on.
std::string Table() {
  const hardware::CostModel h100 = *hardware::CostModel::Load("h100-sxm-80gb");
  std::string text = kHeader;
  for (const int64_t n : {1024, 2048, 4096, 6144, 8192, 14336}) {
    for (const int64_t m : {1, 16, 128, 512, 2048, 8192}) {
      const double us = sim::InMicroseconds(
          h100.Of(models::Gemm{.m = m, .n = n, .k = 4096}).time);
      absl::StrAppend(&text, "h100,bf16,", m, ",", n, ",4096,", us + 3,
                      ",ours,x,0,cold\n");
    }
  }
  return text;
}

TEST(FitTables, RefinesTheCalibrationOfTheTablesGpu) {
  const std::string table = File("gemm.csv", Table());
  const absl::StatusOr<FitAnswer> answer =
      FitTables({.tables = {table}, .only = {"gemm"}, .date = "2026-01-31"});
  ASSERT_TRUE(answer.ok()) << answer.status();
  const std::string file = File("fitted.textproto", answer->calibration);
  const absl::StatusOr<hardware::Calibration> fitted =
      hardware::LoadCalibration(file);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  const hardware::Calibration before = *hardware::LoadCalibration("hopper");
  const auto launch = [](const hardware::Calibration& calibration) {
    return calibration.gemm.of[models::GemmFamily::kCublas].launch_seconds;
  };
  EXPECT_NEAR(launch(*fitted), launch(before) + 3e-6, 0.5e-6);
  // What no row speaks of stays as it was.
  EXPECT_EQ(fitted->memory_bound.l2_held, before.memory_bound.l2_held);
  EXPECT_THAT(answer->calibration, HasSubstr("date: \"2026-01-31\""));
  EXPECT_THAT(answer->calibration, HasSubstr("rows: 36"));
}

TEST(FitTables, SaysWhatItCannotTake) {
  const auto problem = [](const FitQuestion& question) {
    return std::string(FitTables(question).status().message());
  };
  const std::string unknown = File("u.csv", "gpu,speed\nh100,9\n");
  EXPECT_THAT(problem({.tables = {unknown}}),
              HasSubstr("u.csv:1:1: no law is fitted to a table with these "
                        "columns; "));
  const std::string table =
      File("one.csv", absl::StrCat(kHeader, "h100,bf16,8,8,8,9,x,y,0,cold\n"));
  EXPECT_THAT(problem({.tables = {table}, .only = {"gem"}}),
              HasSubstr("--only: there is no recipe \"gem\"; did you mean "
                        "\"gemm\""));
  EXPECT_THAT(
      problem({.tables = {table}, .start = "ampere"}),
      HasSubstr("one.csv: no row is one that a recipe fits for ampere"));
  EXPECT_THAT(problem({.tables = {table}, .start = "blackwell"}),
              HasSubstr("blackwell.textproto"));
}

}  // namespace
}  // namespace tools
