#include "scenarios/optimizer_fields.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "scenarios/load.h"
#include "scenarios/scenario_file.h"

namespace scenarios {
namespace {

absl::StatusOr<Inputs> Loaded(std::vector<std::string> sets) {
  for (const char* set :
       {"model.preset=llama3-8b", "cluster.preset=dgx-h100",
        "training.sequence_length=4096", "training.global_batch=8"}) {
    sets.insert(sets.begin(), set);
  }
  const auto scenario = ParseScenario("drawn", "name: \"a\"\n", sets);
  if (!scenario.ok()) return scenario.status();
  return InputsOf(*scenario);
}

// What loading says, after the place; empty if it is legal.
std::string Problem(std::vector<std::string> sets) {
  const auto inputs = Loaded(std::move(sets));
  if (inputs.ok()) return "";
  const std::string message(inputs.status().message());
  return message.substr(message.rfind("training."));
}

TEST(OptimizerFields, StatesHaveTypes) {
  const auto inputs =
      Loaded({"training.optimizer_options.exp_avg=BF16",
              "training.optimizer_options.exp_avg_sq=FP8",
              "training.optimizer_options.main_params=REMAINDERS"});
  ASSERT_TRUE(inputs.ok()) << inputs.status();
  const models::OptimizerOptions& o = inputs->training.optimizer_options;
  EXPECT_EQ(o.first_moment_bytes, 2);
  EXPECT_EQ(o.second_moment_bytes, 1);
  EXPECT_EQ(o.master_bytes, 2);
  EXPECT_TRUE(o.master_remainders);
}

TEST(OptimizerFields, MastersAreOf16BitWeights) {
  EXPECT_EQ(Problem({"training.precision=FP32",
                     "training.optimizer_options.main_params=HALF"}),
            "training.optimizer_options.main_params: weights are FP32 and have "
            "no copy; leave it out, or set precision BF16, FP16 or FP8");
  EXPECT_EQ(Problem({"training.precision=FP16",
                     "training.optimizer_options.main_params=REMAINDERS"}),
            "training.optimizer_options.main_params: REMAINDERS are of BF16 "
            "weights; HALF and FULL work");
  EXPECT_EQ(Problem({"training.parallel.zero=3",
                     "training.optimizer_options.main_params=REMAINDERS"}),
            "training.optimizer_options.main_params: REMAINDERS need 16-bit "
            "weights beside them, which zero 3 does not keep; HALF and FULL "
            "work");
}

TEST(OptimizerFields, MuonsOptionsAreMuons) {
  EXPECT_EQ(Problem({"training.optimizer=MUON",
                     "training.optimizer_options.muon_sharding=LAYERS",
                     "training.parallel.zero=1"}),
            "");
  EXPECT_EQ(Problem({"training.optimizer=MUON",
                     "training.optimizer_options.muon_sharding=LAYERS",
                     "training.parallel.zero=2"}),
            "training.optimizer_options.muon_sharding: LAYERS leaves gradients "
            "and weights whole; parallel.zero 1 or GATHER works");
  EXPECT_EQ(Problem({"training.optimizer_options.muon_num_ns_steps=3"}),
            "training.optimizer_options.muon_num_ns_steps: is Muon's; set "
            "optimizer: MUON, or leave it out");
  EXPECT_EQ(Problem({"training.optimizer=ADAFACTOR", "training.lora.rank=8"}),
            "training.optimizer: ADAFACTOR on adapters is not modelled; ADAMW "
            "works");
}

}  // namespace
}  // namespace scenarios
