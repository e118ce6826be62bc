#include "tools/calibrate/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "tools/calibrate/cases.h"

namespace tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Work, AGemmCountsTwoFlopsPerProductAndEachOperandOnce) {
  const Work work = WorkOf(GemmCase{"bf16", 16, 28672, 4096, false});
  // 2 x 16 x 28672 x 4096
  EXPECT_DOUBLE_EQ(work.flops, 3'758'096'384);
  // 2 B x (16 x 4096 + 28672 x 4096 + 16 x 28672)
  EXPECT_DOUBLE_EQ(work.bytes, 131'072 + 234'881'024 + 917'504);
}

TEST(Work, CausalAttentionCountsThePairsBelowTheDiagonal) {
  // Two new tokens after two old: the first sees 3 keys, the second 4. Two
  // products of 2 x 7 x 64 FLOPs on one head.
  const AttentionCase c{"flash", "bf16", 1, 2, 4, 1, 1, 64, true, false};
  EXPECT_DOUBLE_EQ(WorkOf(c).flops, 2 * 2 * 7 * 64);
}

TEST(Work, ADecodeStepSeesAllItsKeys) {
  const AttentionCase c{"flash", "bf16", 3, 1, 100, 8, 2, 128, false, false};
  EXPECT_DOUBLE_EQ(WorkOf(c).flops, 2.0 * 2 * 3 * 8 * 100 * 128);
  // Keys and values of 3 x 100 tokens x 2 heads; a query and an output each.
  EXPECT_DOUBLE_EQ(WorkOf(c).bytes,
                   2 * 2 * (3 * 100 * 2 * 128) + 2 * 2 * (3 * 8 * 128));
}

TEST(Work, EveryPlannedPointwiseOpMovesBytes) {
  for (const Case& c : PointwiseCases(Profile::kFull)) {
    EXPECT_GT(WorkOf(c).bytes, 0) << NameOf(c);
  }
}

TEST(ExpertLoads, SumToTheAssignmentsHoweverTheyAreDealt) {
  const auto loads = [](int64_t tokens, int64_t topk, int64_t experts,
                        const std::string& distribution) {
    return ExpertLoads({"bf16", tokens, 1, 1, topk, experts, distribution});
  };
  EXPECT_THAT(loads(10, 1, 4, "balanced"), ElementsAre(3, 2, 3, 2));
  // Weights 1, 0.4353, 0.2676, 0.1895, of 1.8923 in all: 10 x 1 / 1.8923 =
  // 5.28, x 1.4353 = 7.58, x 1.7028 = 9.00, 10.
  EXPECT_THAT(loads(10, 1, 4, "power_law_1.2"), ElementsAre(5, 3, 1, 1));
  // Four tokens to two experts each: 4.23 of the 8 would go to the first.
  EXPECT_THAT(loads(4, 2, 4, "power_law_1.2"), ElementsAre(4, 2, 1, 1));
  // One token to three: each expert has room for one.
  EXPECT_THAT(loads(1, 3, 4, "power_law_1.2"), ElementsAre(1, 1, 1, 0));
  for (const int64_t experts : {8, 9, 256}) {
    const std::vector<int64_t> all = loads(1000, 8, experts, "power_law_1.2");
    EXPECT_EQ(std::accumulate(all.begin(), all.end(), int64_t{0}), 8000);
    EXPECT_LE(all[0], 1000);
  }
}

TEST(Estimate, IsALaunchAndTheWorkAtSixtyPercentOfTheWallItHits) {
  // 4096 MiB at 0.6 x 4.8 TB/s = 1491.3 us, and 2 us to launch.
  const double us = EstimateUs(RooflineCase{"hbm_read", "", int64_t{1} << 32},
                               DatasheetOf("h200"));
  EXPECT_NEAR(us, 1493.3, 0.1);
}

TEST(Plan, FitsItsBudgetOnEveryCardWithTimeToSpareForStartUp) {
  for (const char* gpu : {"a100", "h100", "h200"}) {
    const Plan quick = MakePlan({Profile::kQuick, {}, 8}, DatasheetOf(gpu));
    EXPECT_LE(quick.seconds, quick.budget_seconds) << gpu;
    EXPECT_LE(quick.budget_seconds, 150);
    const Plan full = MakePlan({Profile::kFull, {}, 8}, DatasheetOf(gpu));
    EXPECT_LE(full.seconds, full.budget_seconds) << gpu;
    EXPECT_LE(full.budget_seconds, 540);
    EXPECT_GT(full.cases.size(), quick.cases.size());
  }
}

TEST(Plan, QuickKeepsARowOfEveryKernelThatFullMeasures) {
  const auto kernels = [](Profile profile) {
    std::set<std::string> names;
    for (const PlannedCase& c :
         MakePlan({profile, {}, 8}, DatasheetOf("h200")).cases) {
      const std::string name = NameOf(c.what);
      names.insert(c.family + " " + name.substr(0, name.find(' ')));
    }
    return names;
  };
  EXPECT_EQ(kernels(Profile::kQuick), kernels(Profile::kFull));
}

TEST(Plan, NoCaseIsPlannedTwice) {
  std::set<std::string> names;
  for (const PlannedCase& c :
       MakePlan({Profile::kFull, {}, 8}, DatasheetOf("h200")).cases) {
    EXPECT_TRUE(names.insert(NameOf(c.what)).second) << NameOf(c.what);
  }
}

TEST(Plan, ASlowCardLeavesOutTheLastCasesAndSaysSo) {
  Ceilings slow = DatasheetOf("a100");
  slow.matrix_flops /= 100;
  slow.memory_bytes /= 100;
  const Plan plan = MakePlan({Profile::kQuick, {"gemm"}, 1}, slow);
  EXPECT_LE(plan.seconds, BudgetOf("gemm", Profile::kQuick));
  ASSERT_EQ(plan.left_out.size(), 1u);
  EXPECT_EQ(plan.left_out[0].reason, "no time left in the family's budget");
  EXPECT_EQ(plan.cases.size() + static_cast<size_t>(plan.left_out[0].cases),
            GemmCases(Profile::kQuick).size());
}

TEST(Plan, AFamilyAloneIsPlannedAsAmongOthers) {
  const Plan all = MakePlan({}, DatasheetOf("h100"));
  const Plan one =
      MakePlan({Profile::kFull, {"pointwise"}, 1}, DatasheetOf("h100"));
  std::vector<std::string> among, alone;
  for (const PlannedCase& c : all.cases) {
    if (c.family == "pointwise") among.push_back(NameOf(c.what));
  }
  for (const PlannedCase& c : one.cases) alone.push_back(NameOf(c.what));
  EXPECT_EQ(among, alone);
}

TEST(Plan, OneGpuHasNoCollectives) {
  EXPECT_TRUE(
      MakePlan({Profile::kFull, {"collectives"}, 1}, DatasheetOf("h200"))
          .cases.empty());
}

TEST(Plan, SamplesAreLongEnoughForTheClockThatTimesThem) {
  for (const PlannedCase& c : MakePlan({}, DatasheetOf("h200")).cases) {
    EXPECT_GE(c.estimated_us * c.effort.runs, 100) << NameOf(c.what);
    EXPECT_GE(c.effort.samples, 5) << NameOf(c.what);
  }
}

TEST(Plan, PrintsCasesThenTotals) {
  const Plan plan =
      MakePlan({Profile::kQuick, {"roofline"}, 1}, DatasheetOf("h200"));
  const std::string text = TextOf(plan);
  EXPECT_THAT(text, HasSubstr("      1493.3    0.0"));
  EXPECT_THAT(text, HasSubstr("  hbm_read 4294967296 bytes\n"));
  EXPECT_THAT(text, HasSubstr(" s planned of 20 s\n"));
}

TEST(TableNameOfGpu, IsThePublicTablesNameWhereThereIsOne) {
  EXPECT_EQ(TableNameOfGpu("NVIDIA H200"), "h200");
  EXPECT_EQ(TableNameOfGpu("NVIDIA H100 80GB HBM3"), "h100");
  EXPECT_EQ(TableNameOfGpu("NVIDIA H100 PCIe"), "h100_pcie");
  EXPECT_EQ(TableNameOfGpu("NVIDIA A100-SXM4-80GB"), "a100");
  EXPECT_EQ(TableNameOfGpu("NVIDIA A100-PCIE-40GB"), "a100_pcie_40g");
  EXPECT_EQ(TableNameOfGpu("NVIDIA A100-SXM4-40GB"), "nvidia_a100_sxm4_40gb");
  EXPECT_EQ(TableNameOfGpu("NVIDIA GH200 480GB"), "nvidia_gh200_480gb");
}

}  // namespace
}  // namespace tools
