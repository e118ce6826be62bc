#include "scenarios/lora_fields.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "scenarios/scenario_file.h"
#include "tests/scenarios/problem.h"

namespace scenarios {
namespace {

// What loading says of adapters of Llama-3-8B on eight H100 with these fields
// changed, after the place; empty if it is legal.
std::string Problem(const std::vector<std::string>& sets) {
  return ProblemOf(
      {"model.preset=llama3-8b", "cluster.preset=dgx-h100",
       "training.sequence_length=4096", "training.global_batch=8"},
      sets);
}

TEST(LoraFields, RankIsNeededAndAMultipleOfTheTensorParallelRanks) {
  EXPECT_EQ(Problem({"training.lora.rank=16"}), "");
  EXPECT_EQ(Problem({"training.lora.dropout=0.1"}),
            "training.lora.rank: is missing; give the adapters' width, e.g. 16");
  EXPECT_EQ(
      Problem({"training.lora.rank=12", "training.parallel.tensor=8"}),
      "training.lora.rank: 12 is not a multiple of parallel.tensor, 8; 16 "
      "would");
}

TEST(LoraFields, ModulesGoByTheirNamesInMegatronBridgeAndPeft) {
  EXPECT_EQ(Problem({"training.lora.rank=16",
                     "training.lora.target_modules=[\"q_proj\", "
                     "\"down_proj\"]"}),
            "");
  EXPECT_EQ(Problem({"training.lora.rank=16",
                     "training.lora.target_modules=linear_qvk"}),
            "training.lora.target_modules[0]: there is no module "
            "\"linear_qvk\"; did you mean \"linear_qkv\"?");
  EXPECT_EQ(
      Problem({"training.lora.rank=16",
               "training.lora.target_modules=[\"linear_qkv\", "
               "\"q_proj\"]"}),
      "training.lora.target_modules: name a fused product and a part of it; "
      "one of them works");
  EXPECT_EQ(Problem({"training.lora.rank=16",
                     "training.lora.target_modules=[\"q_proj\", "
                     "\"q_proj\"]"}),
            "training.lora.target_modules[1]: \"q_proj\" is given twice; once "
            "works");
  EXPECT_EQ(Problem({"model.preset=gpt2-xl", "training.sequence_length=1024",
                     "training.lora.rank=16",
                     "training.lora.target_modules=gate_proj"}),
            "training.lora.target_modules[0]: the model's MLP has no gate; "
            "\"up_proj\" works");
}

TEST(LoraFields, WhatIsNotModelledIsRefused) {
  EXPECT_EQ(Problem({"training.lora.rank=16", "training.recompute=OPERATORS"}),
            "training.recompute: OPERATORS with adapters is not modelled; "
            "NONE, SELECTIVE and FULL work");
  EXPECT_EQ(Problem({"model.preset=deep-linear", "training.lora.rank=16"}),
            "training.lora: a linear stack has no modules to adapt; leave it "
            "out");
}

TEST(LoraFields, FourBitWeightsStayWholeAndServe16BitProducts) {
  const std::string nf4 = "training.lora.base_weights=NF4";
  EXPECT_EQ(Problem({"training.lora.rank=16", nf4}), "");
  EXPECT_EQ(Problem({"training.lora.rank=16", nf4, "training.precision=FP8"}),
            "training.lora.base_weights: NF4 weights are made 16-bit before "
            "use; precision BF16 or FP16 works");
  EXPECT_EQ(Problem({"training.lora.rank=16", nf4,
                     "training.parallel.tensor=2"}),
            "training.lora.base_weights: bitsandbytes does not divide NF4 "
            "weights among tensor-parallel ranks; parallel.tensor 1 works");
  EXPECT_EQ(
      Problem({"training.lora.rank=16", nf4, "training.parallel.zero=3"}),
      "training.lora.base_weights: NF4 weights that are gathered for use "
      "(FSDP) are not modelled; parallel.zero 0, 1 or 2 works");
}

TEST(LoraFields, NoTargetsAreTheFourOfMegatronBridge) {
  const auto scenario =
      ParseScenario("drawn", "name: \"a\"\n", std::vector<std::string>{"training.lora.rank=16"});
  ASSERT_TRUE(scenario.ok());
  const models::LoraSpec lora = LoraSpecOf(scenario->training);
  EXPECT_EQ(lora.targets,
            (std::vector<models::LoraTarget>{
                models::LoraTarget::kQkv, models::LoraTarget::kAttentionOut,
                models::LoraTarget::kFc1, models::LoraTarget::kFc2}));
}

}  // namespace
}  // namespace scenarios
