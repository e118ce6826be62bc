#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "scenarios/load.h"
#include "scenarios/scenario_file.h"

namespace scenarios {
namespace {

// What loading says of a Mistral 7B on eight H100 with these fields changed,
// after the place; empty if it is legal.
std::string Problem(std::vector<std::string> sets) {
  for (const char* set :
       {"model.preset=mistral-7b", "cluster.preset=dgx-h100",
        "training.sequence_length=8192", "training.global_batch=8"}) {
    sets.insert(sets.begin(), set);
  }
  const auto scenario = ParseScenario("drawn", "name: \"a\"\n", sets);
  if (!scenario.ok()) return std::string(scenario.status().message());
  const auto inputs = InputsOf(*scenario);
  if (inputs.ok()) return "";
  const std::string message(inputs.status().message());
  return message.substr(message.rfind("training."));
}

TEST(TrainingChecks, RingsOfKeysNeedFusedAttentionOverTheWholeSequence) {
  EXPECT_EQ(Problem({}), "");
  // Mistral's windows are 4,096 tokens.
  EXPECT_EQ(Problem({"training.parallel.context=2"}),
            "training.parallel.context: is not modelled with the model's "
            "4096-token windows; 1 works");
  EXPECT_EQ(Problem({"training.parallel.context=2",
                     "training.sequence_length=4096"}),
            "");
  EXPECT_EQ(Problem({"training.parallel.context=2",
                     "training.kernels.attention=MATERIALISED"}),
            "training.parallel.context: passes keys around fused attention "
            "kernels; set kernels.attention to one of those, or context: 1");
}

TEST(TrainingChecks, OnlyLatentAttentionHasUpProjectionsToRecompute) {
  EXPECT_EQ(Problem({"training.recompute=MLA_UP_PROJECTION"}),
            "training.recompute: MLA_UP_PROJECTION needs a model with latent "
            "attention; NONE, SELECTIVE, OPERATORS and FULL work");
}

}  // namespace
}  // namespace scenarios
