#include "models/schedules/plan_check.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace models {
namespace {

// Two stages, as many microbatches; "" where the plan can run.
std::string Problem(int64_t microbatches, absl::string_view first,
                    absl::string_view second) {
  const Plan plan = {ParsePasses(first).value(), ParsePasses(second).value()};
  return std::string(
      CheckPlan(plan, {.stages = 2, .microbatches = microbatches}).message());
}

TEST(PlanCheck, PassesReadAsTheyAreWritten) {
  const std::string text = "F0.0 F1.0 B0.0 W0.0 F2.1+BW1.0";
  EXPECT_EQ(TextOf(ParsePasses(text).value()), text);
  EXPECT_EQ(TextOf(ParsePasses("F3  B3\nW3").value()), "F3.0 B3.0 W3.0");
}

TEST(PlanCheck, WhatIsNoPassIsNamedByPosition) {
  for (const char* word : {"X1.0", "F", "F1.0.0", "Bx.0", "F1."}) {
    EXPECT_EQ(ParsePasses(absl::StrCat("F0.0 ", word)).status().message(),
              absl::StrCat("position 2: \"", word,
                           "\" is no pass; F, BW, B or W, a microbatch and a "
                           "chunk would be, e.g. F3.0"));
  }
}

TEST(PlanCheck, EveryPassRunsOnce) {
  EXPECT_EQ(Problem(1, "F0 BW0", "F0 BW0"), "");
  EXPECT_EQ(Problem(1, "F0 BW0", "F0 B0 W0"), "");
  EXPECT_EQ(Problem(2, "F0 BW0", "F0 BW0"), "stage 0: F1.0 is missing");
  EXPECT_EQ(Problem(1, "F0 BW0", "F0"),
            "stage 1: BW0.0 is missing, whole or as B and W");
  EXPECT_EQ(Problem(1, "F0 BW0", "F0 B0"), "stage 1: W0.0 is missing");
  EXPECT_EQ(Problem(1, "F0 F0 BW0", "F0 BW0"),
            "stage 0, position 2: F0.0 again; it is at position 1, too");
  EXPECT_EQ(Problem(1, "F0 B0 W0 BW0", "F0 BW0"),
            "stage 0, position 4: BW0.0 and B0.0 at position 2; a backward "
            "pass is whole or split");
}

TEST(PlanCheck, PassesAreOfThePipelinesMicrobatchesAndChunks) {
  EXPECT_EQ(Problem(1, "F0 F1 BW0", "F0 BW0"),
            "stage 0, position 2: F1.0: microbatch 1 is none of 0 to 0, those "
            "of the chunk");
  EXPECT_EQ(Problem(1, "F0 F0.1 BW0", "F0 BW0"),
            "stage 0, position 2: F0.1: chunk 1 is none of 0 to 0");
}

TEST(PlanCheck, ForwardComesBeforeBackwardBeforeWeights) {
  EXPECT_EQ(Problem(1, "F0 BW0", "BW0 F0"),
            "stage 1, position 1: BW0.0 before its F0.0");
  EXPECT_EQ(Problem(1, "F0 W0 B0", "F0 BW0"),
            "stage 0, position 2: W0.0 before its B0.0");
}

TEST(PlanCheck, PassesThatWaitForEachOtherAreNamed) {
  // Stage 0 wants the gradient of microbatch 0 before it sends microbatch 1;
  // stage 1 wants both before it sends a gradient.
  EXPECT_EQ(Problem(2, "F0 BW0 F1 BW1", "F0 F1 BW0 BW1"),
            "the passes wait for each other: stage 0, position 2: BW0.0 waits "
            "for stage 1's BW0.0; stage 1, position 2: F1.0 waits for stage "
            "0's F1.0");
}

TEST(PlanCheck, MessagesKeepTheirOrder) {
  EXPECT_EQ(Problem(2, "F0 F1 BW0 BW1", "F1 F0 BW0 BW1"),
            "stage 1, position 1: F1.0 takes its data before F0.0, which stage "
            "0 sends first; messages keep their order");
}

}  // namespace
}  // namespace models
