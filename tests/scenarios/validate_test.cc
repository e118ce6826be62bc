#include "scenarios/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "scenarios/validation_report.h"

namespace scenarios {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string GemmTable() {
  const std::string path = testing::TempDir() + "gemm.csv";
  std::ofstream(path) << "gpu,dtype,m,n,k,time_us,source,framework,"
                         "act_quant_included,l2\n"
                         "h100,bf16,4096,4096,4096,178,lab,vllm-1,0,cold\n"
                         "h100,bf16,8192,8192,8192,14000,lab,vllm-1,0,cold\n"
                         "a100,bf16,4096,4096,4096,520,lab,trtllm-1,0,cold\n"
                         "h100,fp7,4096,4096,4096,178,lab,vllm-1,0,cold\n";
  return path;
}

std::vector<std::string> Groups(const std::vector<std::string>& by) {
  const auto rows = Validate(GemmTable(), by, 1);
  std::vector<std::string> groups;
  for (const Prediction& p : rows.value()) groups.push_back(p.group);
  return groups;
}

TEST(Validate, GroupsByAnyColumn) {
  EXPECT_THAT(Groups({"framework", "gpu"}),
              ElementsAre("vllm-1 h100", "vllm-1 h100", "trtllm-1 a100",
                          "vllm-1 h100"));
}

TEST(Validate, GroupsByFamilyThoughItIsNoColumn) {
  EXPECT_THAT(Groups({"gpu", "family"}),
              ElementsAre("h100 bf16", "h100 bf16", "a100 bf16", "h100 fp7"));
}

TEST(Validate, SaysWhichColumnThereIsNot) {
  EXPECT_THAT(
      std::string(Validate(GemmTable(), {{"framwork"}}, 1).status().message()),
      HasSubstr("\"framwork\"; did you mean \"framework\""));
}

TEST(Validate, NamesTheWorstRowAndWhyOthersHaveNoPrice) {
  const std::string text = ToText(Validate(GemmTable(), {}, 1).value());
  // Measured ten times as long as the law says: it is off by 90 %.
  EXPECT_THAT(text, HasSubstr("worst rows\n     2  h100 bf16, bf16 "
                              "8192x8192x8192: measured 1.4e+04, predicted "));
  EXPECT_THAT(text, HasSubstr("    1 skipped: no law prices fp7 GEMMs\n"));
}

}  // namespace
}  // namespace scenarios
