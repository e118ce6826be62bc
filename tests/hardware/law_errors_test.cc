#include "hardware/law_errors.h"

#include <gtest/gtest.h>

namespace hardware {
namespace {

LawErrors TwoFamilies() {
  return {.kept_out = {{"bf16 vllm", {-0.08, 0.07}},
                       {"bf16 sglang", {-0.05, 0.09}},
                       {"fp8 vllm", {-0.2, 0.1}}},
          .left_out = {{"a", {-0.1, 0.02}}, {"b", {-0.03, 0.12}}},
          .gpus = {"a", "b"}};
}

TEST(LawErrors, AreThoseOfTheFamiliesOfAType) {
  const Spread spread = TwoFamilies().Of("bf16", "a").value();
  EXPECT_EQ(spread.low, -0.08);  // the wider of -0.08 and -0.05
  EXPECT_EQ(spread.high, 0.09);  // of 0.07 and 0.09
}

TEST(LawErrors, OfAGpuThatWasNotMeasuredAreAsWideAsOfOneLeftOut) {
  const Spread spread = TwoFamilies().Of("bf16", "c").value();
  EXPECT_EQ(spread.low, -0.1);
  EXPECT_EQ(spread.high, 0.12);
}

TEST(LawErrors, AreNotMadeUp) {
  EXPECT_FALSE(LawErrors{}.Of("bf16", "a").has_value());
  EXPECT_FALSE(TwoFamilies().Of("int8", "a").has_value());
}

}  // namespace
}  // namespace hardware
