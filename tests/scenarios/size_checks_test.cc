#include "scenarios/size_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "scenarios/load.h"
#include "scenarios/run.h"
#include "sim/data_path.h"
#include "small_inputs.h"

namespace scenarios {
namespace {

constexpr char kScenario[] = "llama3-70b-64xh100";

std::string Problem(const std::vector<std::string>& sets) {
  return std::string(Load(kScenario, sets).status().message());
}

TEST(CheckSize, OperatorsAreThoseOfTheScripts) {
  for (const models::Split& split :
       {models::Split{}, models::Split{.tensor = 2, .pipeline = 4}}) {
    const Inputs inputs = SmallInputs(split, 8);
    const Outcome outcome = Execute(inputs).value();
    double tasks = 0;
    for (const sim::Script& script : outcome.lowered.program.scripts) {
      tasks += static_cast<double>(script.tasks.size());
    }
    EXPECT_NEAR(OperatorsOf(inputs) / tasks, 1, 0.05);
  }
}

TEST(CheckSize, RefusesMoreMicrobatchesThanFitInMemory) {
  EXPECT_EQ(Problem({"training.global_batch=1000000"}),
            "--set training.global_batch=1000000: training.global_batch: "
            "1000000 sequences make 500000 microbatches on each replica, about "
            "3.4e+09 operators to simulate; 14640 or fewer would do");
}

TEST(CheckSize, WhatItSaysWouldDoDoes) {
  const Inputs inputs =
      Load(kScenario, std::vector<std::string>{"training.global_batch=14640"})
          .value();
  EXPECT_LE(OperatorsOf(inputs), kMostOperators);
}

TEST(CheckSize, RefusesActivationsThatOverflow) {
  EXPECT_EQ(Problem({"training.sequence_length=1073741824"}),
            "--set training.sequence_length=1073741824: "
            "training.sequence_length: 1073741824 tokens x micro_batch 1 x 256 "
            "microbatches make about 3.9e+19 bytes of activations on a GPU; at "
            "most 1e+18 can be counted");
}

TEST(Load, RefusesNumbersBeyondTheirRange) {
  EXPECT_EQ(Problem({"training.global_batch=1000000000000"}),
            "--set training.global_batch=1000000000000: training.global_batch: "
            "1000000000000 is above 1000000000; 1 to 1000000000 works");
  EXPECT_EQ(Problem({"training.parallel.tensor=1000000"}),
            "--set training.parallel.tensor=1000000: training.parallel.tensor: "
            "1000000 is above 65536; 1 to 65536 works");
  EXPECT_EQ(Problem({"training.host.launch_us=0"}),
            "--set training.host.launch_us=0: training.host.launch_us: 0 is "
            "not above 0; more than 0, at most 10000, works");
}

TEST(Load, RefusesMoreChunksThanLayers) {
  EXPECT_EQ(
      Problem({"training.parallel.placement=FILL",
               "training.parallel.virtual_stages=21"}),
      sim::DataPath("scenarios/library/llama3-70b-64xh100.textproto").string() +
          ":13:39: training.parallel.pipeline: 4 x virtual_stages 21 = "
          "84 chunks are more than the model's 80 layers; as many chunks "
          "as layers would");
}

TEST(Execute, RefusesAnOperatorOfOverAnHour) {
  Inputs inputs = SmallInputs({}, 1);
  inputs.training.sequence_length = 1 << 27;
  // FlashAttention's backward pass takes 5 products of 2 · 2^54 · 1024 / 2
  // FLOPs: 9e19 at some 400 TFLOP/s are 60 hours.
  const std::string problem(Execute(inputs).status().message());
  EXPECT_THAT(problem,
              testing::MatchesRegex(
                  "attention.*: takes [0-9]+.* hours at layer 0, and "
                  "an operator may take 1.25; a shorter "
                  "sequence_length or a smaller micro_batch would do"));
}

TEST(Execute, RefusesAStepOfManyDays) {
  Inputs inputs = SmallInputs({}, 8);
  inputs.cluster.nodes = 2;
  inputs.training.split.data = 16;
  inputs.training.split.zero = 3;
  inputs.training.global_batch = 16 * 200;
  inputs.cluster.nic_rate = sim::GBps(1e-5);
  // 2 all-gathers of 2 bytes and a reduce-scatter of 4 for each of 355 million
  // parameters: 2.8 GB a pass, at 8 x 10 kB/s for a server, are 10 hours, and
  // 200 of them 80 days.
  EXPECT_THAT(std::string(Execute(inputs).status().message()),
              testing::MatchesRegex(
                  "training.global_batch: the step takes up to "
                  "[0-9.e+]+ days over all stages, and 13.3 can be "
                  "simulated; fewer sequences or more GPUs would do"));
}

}  // namespace
}  // namespace scenarios
