#include "scenarios/serving_inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "scenarios/explain.h"
#include "scenarios/scenario_file.h"
#include "scenarios/serving_run.h"
#include "tests/scenarios/library_names.h"

namespace scenarios {
namespace {

using testing::HasSubstr;

const std::vector<std::string> kBase = {
    "model.preset=llama3-8b",
    "cluster.preset=dgx-h100",
    "serving.workload.poisson.requests_per_second=4",
    "serving.workload.requests=100",
    "serving.workload.input.fixed=1000",
    "serving.workload.output.fixed=100"};

absl::StatusOr<ServingInputs> LoadWith(const std::vector<std::string>& sets) {
  std::vector<std::string> all = kBase;
  all.insert(all.end(), sets.begin(), sets.end());
  const auto scenario = ParseScenario("drawn", "name: \"a\"\n", all);
  if (!scenario.ok()) return scenario.status();
  return ServingInputsOf(*scenario);
}

// After the place; empty if it is legal.
std::string Problem(const std::vector<std::string>& sets) {
  const auto inputs = LoadWith(sets);
  if (inputs.ok()) return "";
  const std::string message(inputs.status().message());
  const size_t field = message.rfind("serving.");
  return field == std::string::npos ? message : message.substr(field);
}

TEST(ServingLoad, EveryLibraryScenarioFitsAndExplainsItself) {
  const std::vector<std::string> names = LibraryOf(Question::kServing);
  EXPECT_GE(names.size(), 6u);
  for (const std::string& name : names) {
    const auto file = ReadScenario(name);
    ASSERT_TRUE(file.ok()) << file.status();
    const auto inputs = ServingInputsOf(*file);
    ASSERT_TRUE(inputs.ok()) << inputs.status();
    EXPECT_TRUE(Fits(*inputs)) << name;
    const auto text = Explain(*file);
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_THAT(*text, HasSubstr("max_num_batched_tokens: ")) << name;
  }
}

TEST(ServingLoad, TheCacheGetsWhatWeightsAndStepsLeave) {
  const ServingInputs inputs = LoadWith({}).value();
  const EngineMemory& m = inputs.pools[0].memory;
  // vLLM: 0.9 of all memory, in whole blocks of 16 tokens, of which each takes
  // 2 · 32 layers · 8 heads · 128 · 2 bytes = 131,072.
  const auto left =
      static_cast<int64_t>(0.9 * static_cast<double>(m.capacity.count())) -
      (m.weights + m.activations + m.overhead).count();
  EXPECT_EQ(m.blocks, left / (16 * 131072));
  // 8.03 billion weights in 16 bits: 14.96 GiB.
  EXPECT_NEAR(sim::InGiB(m.weights), 14.96, 0.02);
}

TEST(ServingLoad, AnEngineWithoutRoomSaysHowMuchIsMissing) {
  // 141 GB of weights on a GPU of 80 GB.
  const ServingInputs inputs =
      LoadWith({"model.preset=llama3-70b"}).value();
  EXPECT_FALSE(Fits(inputs));
  EXPECT_GT(sim::InGiB(inputs.pools[0].memory.missing), 55);
}

TEST(ServingLoad, TheSplitDividesHeadsAndExperts) {
  EXPECT_EQ(Problem({"serving.parallel.tensor=3"}),
            "serving.parallel.tensor: 3 does not divide the model's 32 heads; "
            "1, 2, 4, 8, 16, 32 would");
  EXPECT_EQ(Problem({"serving.parallel.expert=true"}),
            "serving.parallel.expert: the model has no experts; leave it out");
  EXPECT_EQ(Problem({"serving.parallel.pipeline=40"}),
            "serving.parallel.pipeline: 40 stages are more than the model's 32 "
            "layers; fewer would do");
}

TEST(ServingLoad, AStepHoldsAtLeastATokenOfEachSequence) {
  EXPECT_EQ(Problem({"serving.max_num_seqs=512",
                     "serving.max_num_batched_tokens=256"}),
            "serving.max_num_batched_tokens: 256 is fewer than the 512 "
            "sequences of a step (max_num_seqs), each of which may need one; "
            "512 or more would do");
}

TEST(ServingLoad, DraftsNeedTheirWorth) {
  EXPECT_EQ(Problem({"serving.speculative.method=EAGLE"}),
            "serving.speculative.acceptance: is missing; e.g. acceptance: "
            "[0.8, 0.7, 0.6], what drafts of this model are worth");
  EXPECT_EQ(Problem({"serving.speculative.method=DRAFT_MODEL",
                     "serving.speculative.acceptance=[0.5]"}),
            "serving.speculative.draft_model: is missing; method DRAFT_MODEL "
            "needs one, e.g. { preset: \"llama3.2-1b\" }");
}

TEST(ServingLoad, PromptsApartNeedSomebodyWhoDecodes) {
  EXPECT_EQ(Problem({"serving.pool=[{ role: PREFILL }]"}),
            "serving.pool[0]: its model has engines for prompts only; add a "
            "pool with role: DECODE");
}

TEST(ServingLoad, EnginesFillTheClusterAtMost) {
  EXPECT_EQ(Problem({"cluster.nodes=1", "serving.replicas=9"}),
            "serving.replicas: the engines take 9 GPUs, and the cluster's 1 "
            "servers have 8; fewer replicas, or leave out cluster.nodes");
}

TEST(ServingLoad, AProfileOfTrainingIsRefused) {
  EXPECT_EQ(Problem({"serving.profile=megatron-core"}),
            "serving.profile: \"megatron-core\" is a profile of training; "
            "`orrery list profiles` says which are of what");
}

TEST(ServingLoad, AnA100HasNoFp8) {
  EXPECT_THAT(Problem({"cluster.preset=dgx-a100-80gb",
                       "serving.quantization=FP8"}),
              HasSubstr("a100-sxm-80gb has no fp8 tensor cores"));
}

}  // namespace
}  // namespace scenarios
