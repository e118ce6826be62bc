#include "sim/spelling.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace sim {
namespace {

const std::vector<std::string> kNames = {"micro_batch",      "layers", "hbm_gb",
                                         "INTERLEAVED_1F1B", "tp",     "pp"};

TEST(NearestName, ForgivesOneSlipInThreeLetters) {
  EXPECT_EQ(NearestName("layerz", kNames), "layers");           // changed
  EXPECT_EQ(NearestName("micro_bath", kNames), "micro_batch");  // left out
  EXPECT_EQ(NearestName("layyers", kNames), "layers");          // put in
  EXPECT_EQ(NearestName("lyaers", kNames), "layers");           // swapped
  EXPECT_EQ(NearestName("lyaerz", kNames), "layers");      // 2 in 6 letters
  EXPECT_EQ(NearestName("lyaezz", kNames), std::nullopt);  // 3 in 6
}

TEST(NearestName, CaseAndDashesAreNoSlips) {
  EXPECT_EQ(NearestName("Micro-Batch", kNames), "micro_batch");
  EXPECT_EQ(NearestName("TP", kNames), "tp");
}

TEST(NearestName, AShortWordMustBeRight) {
  EXPECT_EQ(NearestName("dp", kNames), std::nullopt);
  EXPECT_EQ(NearestName("", kNames), std::nullopt);
}

TEST(NearestName, ABeginningOrAnEndWillDo) {
  EXPECT_EQ(NearestName("interleaved", kNames), "INTERLEAVED_1F1B");
  EXPECT_EQ(NearestName("batch", kNames), "micro_batch");
  EXPECT_EQ(NearestName("number_of_layers", kNames), "layers");
}

TEST(NearestName, TiesGoToTheEarlierName) {
  EXPECT_EQ(NearestName("lane", std::vector<std::string>{"line", "lone"}),
            "line");
}

TEST(Suggest, ListsTheNamesWhenNoneIsNear) {
  EXPECT_EQ(Suggest("layerz", kNames, "fields"), "did you mean \"layers\"?");
  EXPECT_EQ(Suggest("frequency", kNames, "fields"),
            "known fields are micro_batch, layers, hbm_gb, INTERLEAVED_1F1B, "
            "tp, pp");
  EXPECT_EQ(Suggest("x", {}, "fields"), "there are no fields");
}

TEST(Suggest, ListsNoMoreThan24) {
  std::vector<std::string> names;
  for (int i = 0; i < 30; ++i) names.push_back(absl::StrCat("gpu", 10 + i));
  const std::string known = Suggest("wafer", names, "GPUs");
  EXPECT_EQ(known.substr(0, 28), "known GPUs are gpu10, gpu11,");
  // 10 + 24 - 1 = 33 is the last that is named.
  EXPECT_EQ(known.substr(known.size() - 18), ", gpu33 and 6 more");
}

}  // namespace
}  // namespace sim
