#include "scenarios/validate_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace scenarios {
namespace {

using testing::HasSubstr;

// GPT-2 on 8 A100: "a" and "b" are one family, of which "b" is the largest; "d"
// is of a source that did not look for the largest; "e" has no split.
constexpr char kTable[] =
    "run_id,source_key,tier,gpu,n_gpus,framework,family,layers,hidden,heads,"
    "vocab,seq_len,tp,pp,dp,zero_stage,micro_batch,global_batch,recompute,"
    "precision,measured_step_time_s\n"
    "a,llm-foundry,1,a100_sxm_80gb,8,fsdp,mpt,12,768,12,50368,1024,1,1,8,3,4,"
    "32,none,bf16,1\n"
    "b,llm-foundry,1,a100_sxm_80gb,8,fsdp,mpt,12,768,12,50368,1024,1,1,8,3,6,"
    "48,none,bf16,1\n"
    "c,llm-foundry,1,a100_sxm_80gb,8,fsdp,mpt,12,768,12,50368,2048,1,1,8,3,2,"
    "16,none,bf16,1\n"
    "d,yafsdp,1,a100_sxm_80gb,8,fsdp,mpt,12,768,12,50368,1024,1,1,8,3,8,64,"
    "none,bf16,1\n"
    "e,yafsdp,1,a100_sxm_80gb,8,fsdp,mpt,12,768,12,50368,1024,,1,8,3,8,64,"
    "none,bf16,1\n";

// Stands in for the simulator: a sequence takes a GiB, and 7 fit.
absl::StatusOr<MemoryNeed> AGibASequence(const Inputs& inputs) {
  const auto gib = static_cast<double>(inputs.training.micro_batch);
  return MemoryNeed{gib, 7, gib <= 7};
}

std::vector<MemoryCheck> Checks() {
  const auto csv = sim::CsvFile::Parse("m.csv", kTable);
  return CheckMemory(*csv, RulesFor(*csv).value(), 2, AGibASequence);
}

TEST(CheckMemory, TakesTwiceTheLargestMicroBatchOfEachFamilyForTooMuch) {
  const std::vector<MemoryCheck> checks = Checks();
  ASSERT_EQ(checks.size(), 7u);  // five rows; b and c doubled
  EXPECT_EQ(checks[5].id, "b");
  EXPECT_EQ(checks[5].micro_batch, 12);
  EXPECT_FALSE(checks[5].ran);
  EXPECT_TRUE(checks[5].right());  // 12 do not fit
  EXPECT_EQ(checks[6].id, "c");
  EXPECT_FALSE(checks[6].right());  // 4 would
  EXPECT_TRUE(checks[0].family.empty());  // not the largest of its family
  EXPECT_FALSE(checks[3].right());        // d ran, and 8 do not fit
}

TEST(CheckMemory, CountsRowsThatFitAndFamiliesThatAreRightBothWays) {
  const std::vector<MemorySummary> s = SummariseMemory(Checks());
  ASSERT_EQ(s.size(), 3u);
  EXPECT_EQ(s[0].source, "llm-foundry");
  EXPECT_EQ(s[0].ran, 3);
  EXPECT_EQ(s[0].ran_and_fit, 3);
  EXPECT_EQ(s[0].families, 2);
  EXPECT_EQ(s[0].families_right, 1);
  EXPECT_EQ(s[1].source, "yafsdp");
  EXPECT_EQ(s[1].ran, 1);  // e is skipped
  EXPECT_EQ(s[1].ran_and_fit, 0);
  EXPECT_EQ(s[1].families, 0);
  EXPECT_EQ(s[2].ran, 4);
}

TEST(CheckMemory, SaysWhatIsWrongAndWhatWasSkipped) {
  EXPECT_EQ(MemoryText(Checks()),
            "wrong\n"
            "     4  d, micro batch 8 ran and does not fit: needs 8.0 of 7.0 "
            "GiB\n"
            "     3  c, micro batch 4, twice what ran, fits: needs 4.0 of 7.0 "
            "GiB\n"
            "\n"
            "    1 skipped: the split is not stated\n"
            "\n"
            "source                                rows that ran and fit  "
            "families whose largest fits and no more\n"
            "llm-foundry                                 3 of 3, 100.0 %   "
            "                        1 of 2, 50.0 %\n"
            "yafsdp                                        0 of 1, 0.0 %   "
            "                                      \n"
            "all                                          3 of 4, 75.0 %   "
            "                        1 of 2, 50.0 %\n");
  EXPECT_THAT(MemoryCsv(Checks()),
              HasSubstr("\n5,e,yafsdp,,,1,,,,,the split is not stated\n"));
  EXPECT_THAT(MemoryJson(Checks()), HasSubstr("\"families_right\": 1"));
}

}  // namespace
}  // namespace scenarios
