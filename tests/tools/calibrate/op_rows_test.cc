#include "tools/calibrate/op_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "scenarios/op_tables/op_tables.h"
#include "scenarios/validate_collectives.h"
#include "scenarios/validate_ops.h"
#include "sim/csv_file.h"
#include "sim/read_text.h"
#include "tools/calibrate/cases.h"
#include "tools/calibrate/plan.h"

namespace tools {
namespace {

using testing::StartsWith;

const Session kSession{"h200", "NVIDIA H200", "580.159.03",
                       "13.0", "2026-11-21",  "1xNVIDIA H200"};

Measurement Measured(const Case& c) {
  return {c,
          {61.5, 61.25, 62.0, 31},
          {1980, 3201, 650, 55},
          "orrery-measure-fa2",
          "cublaslt-13.1.0",
          "cold"};
}

TEST(Timing, IsTheMedianWithTheTenthAndNinetiethPercentile) {
  // 11 samples sorted 0..10: nearest ranks 1, 5, 9.
  const Timing t = SummaryOf({3, 1, 0, 2, 10, 9, 4, 8, 6, 5, 7});
  EXPECT_EQ(t.p10_us, 1);
  EXPECT_EQ(t.median_us, 5);
  EXPECT_EQ(t.p90_us, 9);
  EXPECT_EQ(t.samples, 11);
}

TEST(OpRows, AGemmRowHasThePublicColumnsThenOurs) {
  const Measurement m = Measured(GemmCase{"fp8", 16, 28672, 4096, true});
  Measurement gemm = m;
  gemm.source = "orrery-measure";
  EXPECT_EQ(TableText(OpTable::kGemm, {gemm}, kSession),
            "gpu,dtype,m,n,k,time_us,source,framework,act_quant_included,l2,"
            "model,split,spread_us,p10_us,p90_us,samples,sm_clock_mhz,"
            "memory_clock_mhz,power_w,temperature_c,library,l2_state,device,"
            "driver,cuda,date\n"
            "h200,fp8,16,28672,4096,61.5,orrery-measure,cublaslt-13.1.0,1,"
            "cold,,own,0.75,61.25,62,31,1980,3201,650,55,cublaslt-13.1.0,cold,"
            "NVIDIA H200,580.159.03,13.0,2026-11-21\n");
}

TEST(OpRows, WhatTheDriverDoesNotTellIsEmpty) {
  Measurement m = Measured(PointwiseCase{"add", "bf16", 128, 8192});
  m.card = {};
  const std::vector<std::string> cells = RowOf(m, kSession);
  const std::vector<std::string> columns = ColumnsOf(OpTable::kPointwise);
  const auto cell = [&](const std::string& name) {
    const auto at = std::find(columns.begin(), columns.end(), name);
    return cells[static_cast<size_t>(at - columns.begin())];
  };
  EXPECT_EQ(cell("power_w"), "");
  // 3 tensors of 128 x 8192 x 2 B = 6,291,456 B in 61.5 us
  EXPECT_EQ(cell("bytes"), "6291456");
  EXPECT_EQ(cell("gbs"), "102.3");
}

TEST(OpRows, EveryPlannedCaseFillsItsTablesColumns) {
  for (const PlannedCase& c :
       MakePlan({Profile::kFull, {}, 8}, DatasheetOf("h200")).cases) {
    EXPECT_EQ(RowOf(Measured(c.what), kSession).size(),
              ColumnsOf(TableOf(c.what)).size())
        << NameOf(c.what);
  }
}

TEST(OpRows, BackwardAttentionIsATableOfItsOwn) {
  AttentionCase c{"flash", "bf16", 1, 4096, 4096, 32, 8, 128, true, true};
  EXPECT_EQ(FileOf(TableOf(c)), "attention_backward.csv");
  c.backward = false;
  EXPECT_EQ(FileOf(TableOf(c)), "attention_prefill.csv");
  c.q_len = 1;
  EXPECT_EQ(FileOf(TableOf(c)), "attention_decode.csv");
}

TEST(OpRows, BusBandwidthIsAsNcclTestsHaveIt) {
  const Measurement m =
      Measured(CollectiveCase{"all_reduce", "bf16", 536870912, 8});
  const std::vector<std::string> cells = RowOf(m, kSession);
  // 2 x 7/8 x 536,870,912 B in 61.5 us: 15,276.8 GB/s
  EXPECT_EQ(cells[9], "15276.8");
}

// Tables that `orrery validate` prices are recognised, and their rows priced.
TEST(OpRows, OurTablesAreReadThroughTheSameDoorAsThePublicOnes) {
  const Case cases[] = {
      GemmCase{"bf16", 4096, 4096, 4096, false},
      AttentionCase{"flash", "bf16", 1, 4096, 4096, 32, 8, 128, true, false},
      AttentionCase{"flash", "bf16", 16, 1, 4096, 32, 8, 128, false, false},
      PointwiseCase{"rmsnorm", "bf16", 8192, 8192}};
  for (const Case& c : cases) {
    const OpTable table = TableOf(c);
    const auto csv = sim::CsvFile::Parse(
        FileOf(table), TableText(table, {Measured(c)}, kSession));
    ASSERT_TRUE(csv.ok()) << csv.status();
    ASSERT_NE(scenarios::FindOpTable(*csv), nullptr) << NameOf(c);
    const auto predictions = scenarios::PredictOps(*csv);
    ASSERT_TRUE(predictions.ok()) << predictions.status();
    ASSERT_EQ(predictions->size(), 1u);
    EXPECT_EQ((*predictions)[0].reason, "") << NameOf(c);
    EXPECT_GT((*predictions)[0].predicted, 0);
    EXPECT_EQ((*predictions)[0].measured, 61.5);
  }
}

TEST(OpRows, CollectivesArePricedAsThePublicOnes) {
  const Measurement m =
      Measured(CollectiveCase{"all_reduce", "bf16", 67108864, 8});
  const auto csv =
      sim::CsvFile::Parse("t", TableText(OpTable::kCollectives, {m}, kSession));
  ASSERT_TRUE(scenarios::IsCollectiveTable(*csv));
  const auto predictions = scenarios::PredictCollectives(*csv);
  ASSERT_TRUE(predictions.ok()) << predictions.status();
  EXPECT_EQ((*predictions)[0].reason, "");
  EXPECT_GT((*predictions)[0].predicted, 0);
}

// The laws of expert layers are those of three engines' kernels; ours are not
// among them.
TEST(OpRows, ExpertLayersAreReadAndSkippedWithAReason) {
  Measurement m =
      Measured(ExpertCase{"bf16", 1024, 4096, 14336, 2, 8, "balanced"});
  m.source = "orrery-measure-grouped";
  const auto csv =
      sim::CsvFile::Parse("t", TableText(OpTable::kMoe, {m}, kSession));
  ASSERT_NE(scenarios::FindOpTable(*csv), nullptr);
  const auto predictions = scenarios::PredictOps(*csv);
  ASSERT_TRUE(predictions.ok()) << predictions.status();
  EXPECT_EQ((*predictions)[0].reason,
            "no law prices expert layers of orrery-measure-grouped");
}

TEST(OpRows, AttentionIsPricedByTheFamilyOfItsKernel) {
  const auto family = [](const std::string& source) {
    Measurement m = Measured(
        AttentionCase{"", "bf16", 1, 4096, 4096, 32, 8, 128, true, false});
    m.source = source;
    const auto csv = sim::CsvFile::Parse(
        "t", TableText(OpTable::kAttentionPrefill, {m}, kSession));
    return scenarios::PredictOps(*csv)->at(0).reason.empty()
               ? scenarios::PredictOps(*csv)->at(0).predicted
               : 0;
  };
  EXPECT_GT(family("orrery-measure-fa2"), 0);
  EXPECT_GT(family("orrery-measure-cudnn"), 0);
  EXPECT_NE(family("orrery-measure-fa2"), family("orrery-measure-cudnn"));
}

TEST(WriteWholeText, LeavesTheFileOrNothing) {
  const std::string path = testing::TempDir() + "table.csv";
  EXPECT_EQ(WriteWholeText(path, "a\n1\n"), "");
  EXPECT_EQ(sim::ReadText(path).value(), "a\n1\n");
  EXPECT_EQ(WriteWholeText(path, "a\n2\n"), "");
  EXPECT_EQ(sim::ReadText(path).value(), "a\n2\n");
  EXPECT_FALSE(std::filesystem::exists(path + ".part"));
  EXPECT_THAT(WriteWholeText(testing::TempDir() + "none/table.csv", "a\n"),
              StartsWith(testing::TempDir() + "none/table.csv: cannot write"));
}

}  // namespace
}  // namespace tools
