#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/scenarios/problem.h"

namespace scenarios {
namespace {

// What loading says of a Mixtral on 64 H100 with these fields changed, after
// the place; empty if it is legal.
std::string Problem(const std::vector<std::string>& sets) {
  return ProblemOf(
      {"model.preset=mixtral-8x7b", "cluster.preset=dgx-h100",
       "cluster.nodes=8", "training.sequence_length=4096",
       "training.global_batch=64"},
      sets);
}

TEST(ExpertChecks, ExpertsDivideAmongTheRanksOfAStage) {
  EXPECT_EQ(Problem({"training.parallel.expert=8"}), "");
  EXPECT_EQ(Problem({"training.parallel.expert=16"}),
            "training.parallel.expert: 16 does not divide the model's 8 "
            "experts; 1, 2, 4 or 8 would");
  EXPECT_EQ(Problem({"training.parallel.expert=8",
                     "training.parallel.pipeline=16"}),
            "training.parallel.expert: expert 8 x expert_tensor 1 = 8 does not "
            "divide the 4 GPUs of a stage; 1, 2 or 4 would");
  EXPECT_EQ(Problem({"training.parallel.expert_tensor=3"}),
            "training.parallel.expert_tensor: 3 does not divide the experts' "
            "ffn_hidden, 14336; 1 would");
  EXPECT_EQ(Problem({"training.parallel.expert_tensor=128"}),
            "training.parallel.expert_tensor: expert 1 x expert_tensor 128 = "
            "128 does not divide the 64 GPUs of a stage; 1, 2, 4, 8, 16, 32 or "
            "64 would, with expert: 1");
  EXPECT_EQ(Problem({"model.preset=llama3-8b", "training.parallel.expert=2"}),
            "training.parallel.expert: llama3-8b has no experts to divide; 1 "
            "works");
}

TEST(ExpertChecks, TensorParallelRanksRouteTheirOwnTokens) {
  EXPECT_EQ(Problem({"training.parallel.tensor=2"}),
            "training.parallel.sequence: is needed where a model with experts "
            "is trained with tensor above 1 (as by Megatron-Core); set "
            "sequence: true");
  EXPECT_EQ(Problem({"training.parallel.tensor=2",
                     "training.parallel.sequence=true"}),
            "");
}

TEST(ExpertChecks, GroupsOfShardsDivideTheCopiesOfAnExpert) {
  EXPECT_EQ(Problem({"training.parallel.expert=8", "training.parallel.zero=1",
                     "training.parallel.shard_group=4"}),
            "training.parallel.shard_group: 4 makes 16 groups, which do not "
            "divide the 8 copies of each expert; 0 works");
}

TEST(ExpertChecks, CapacityIsWhatPaddingFillsAndDispatchersKnow) {
  EXPECT_EQ(Problem({"training.experts.pad_to_capacity=true"}),
            "training.experts.pad_to_capacity: needs a capacity; set "
            "capacity_factor, e.g. 1");
  EXPECT_EQ(Problem({"training.experts.capacity_factor=1",
                     "training.experts.dispatcher=ALL_GATHER"}),
            "training.experts.capacity_factor: is not known to dispatcher "
            "ALL_GATHER (Megatron-Core's either); ALL_TO_ALL or DEEPEP work, "
            "or 0");
}

TEST(ExpertChecks, AHistogramIsOfTheModelsExpertsAndPossible) {
  EXPECT_EQ(Problem({"training.experts.histogram=[ 1, 2, 3 ]"}),
            "training.experts.histogram: 3 numbers for the model's 8 experts; "
            "give one each");
  EXPECT_EQ(
      Problem({"training.experts.histogram=[ 0, 0, 0, 0, 0, 0, 0, 0 ]"}),
      "training.experts.histogram: counts no tokens; give an expert some");
  EXPECT_EQ(
      Problem({"training.experts.histogram=[ 9, 1, 1, 1, 1, 1, 1, 1 ]"}),
      "training.experts.histogram: expert 0 has 9 of 16 tokens, more than one "
      "in 2, and a token takes an expert once; at most 8 would do");
  EXPECT_EQ(Problem({"training.experts.load=HISTOGRAM"}),
            "training.experts.histogram: 0 numbers for the model's 8 experts; "
            "give one each");
  EXPECT_EQ(Problem({"training.experts.load=POWER_LAW",
                     "training.experts.alpha=1"}),
            "training.experts.alpha: cannot be 1; 1.01 works");
}

TEST(ExpertChecks, DeepEpIsForWholeExpertsOnHopperServers) {
  EXPECT_EQ(Problem({"training.parallel.expert=8",
                     "training.experts.dispatcher=DEEPEP"}),
            "");
  EXPECT_EQ(Problem({"cluster.preset=dgx-a100-80gb",
                     "training.kernels.attention=FLASH_2",
                     "training.parallel.expert=8",
                     "training.experts.dispatcher=DEEPEP"}),
            "training.experts.dispatcher: no DeepEP is calibrated for "
            "a100-sxm-80gb; ALL_TO_ALL and ALL_GATHER work");
  EXPECT_EQ(Problem({"training.parallel.expert=8",
                     "training.parallel.expert_tensor=2",
                     "training.experts.dispatcher=DEEPEP"}),
            "training.experts.dispatcher: DEEPEP is not modelled with experts "
            "that are divided; set parallel.expert_tensor: 1, or ALL_TO_ALL "
            "works");
}

TEST(ExpertChecks, WhatLayersOfExpertsCannotDoIsSaid) {
  EXPECT_EQ(Problem({"training.recompute=OPERATORS"}),
            "training.recompute: OPERATORS does not say what layers of experts "
            "keep; NONE, SELECTIVE and FULL work");
  EXPECT_EQ(Problem({"training.lora.rank=16"}),
            "training.lora: adapters in a mixture of experts are not modelled; "
            "leave it out, or take a dense model");
}

}  // namespace
}  // namespace scenarios
