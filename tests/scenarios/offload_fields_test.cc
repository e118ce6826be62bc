#include "scenarios/offload_fields.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "scenarios/host_memory.h"
#include "scenarios/load.h"
#include "scenarios/report.h"
#include "scenarios/run.h"
#include "scenarios/scenario_file.h"

namespace scenarios {
namespace {

// GPT-2 XL on one DGX A100 by ZeRO-2 with these fields changed.
absl::StatusOr<Inputs> Changed(std::vector<std::string> sets) {
  for (const char* set :
       {"model.preset=gpt2-xl", "cluster.preset=dgx-a100-80gb",
        "training.sequence_length=1024", "training.global_batch=16",
        "training.parallel.zero=2"}) {
    sets.insert(sets.begin(), set);
  }
  const auto scenario = ParseScenario("drawn", "name: \"a\"\n", sets);
  if (!scenario.ok()) return scenario.status();
  return InputsOf(*scenario);
}

// What loading says, after the place; empty if it is legal.
std::string Problem(const std::vector<std::string>& sets) {
  const auto inputs = Changed(sets);
  if (inputs.ok()) return "";
  const std::string message(inputs.status().message());
  return message.substr(message.rfind("training."));
}

Report Answer(const std::vector<std::string>& sets) {
  const Inputs inputs = Changed(sets).value();
  return Summarize(inputs, Execute(inputs).value());
}

constexpr const char* kCpu = "training.offload.optimizer=CPU";
constexpr const char* kGradients = "training.offload.gradients=true";

TEST(OffloadFields, SayWhatTheyNeed) {
  EXPECT_EQ(Problem({kCpu, kGradients}), "");
  EXPECT_EQ(Problem({kGradients}),
            "training.offload.gradients: needs optimizer: CPU or NVME beside it");
  EXPECT_EQ(Problem({kCpu, kGradients, "training.parallel.zero=1"}),
            "training.offload.gradients: needs zero 2 or 3: with less, gradients "
            "are summed where they are; false works");
  EXPECT_EQ(Problem({kCpu, "training.offload.parameters=CPU"}),
            "training.offload.parameters: needs zero 3, which gathers weights "
            "before their use");
  EXPECT_EQ(Problem({kCpu, "training.optimizer=LAMB"}),
            "training.offload.optimizer: there is no update on the CPU for LAMB; "
            "ADAM, ADAMW, ADAGRAD, RMSPROP, MOMENTUM and SGD work");
  EXPECT_EQ(Problem({"training.offload.cpu_offloading_num_layers=49"}),
            "training.offload.cpu_offloading_num_layers: 49 is more than the "
            "model's 48 layers; at most that many work");
}

TEST(OffloadFields, TheServerMustBeKnown) {
  EXPECT_EQ(Problem({kCpu, "cluster.preset=a100-tcp-100"}),
            "training.offload: needs the rates of the server; set "
            "cluster.host.pcie_gb_per_s and cluster.host.memory_gb_per_s");
  EXPECT_EQ(Problem({"training.offload.optimizer=NVME",
                     "cluster.preset=aws-p4de"}),
            "training.offload.optimizer: NVME needs drives; set "
            "cluster.host.disks and their rates, or CPU works");
}

TEST(Offload, AServersMemoryBindsAsTheDevicesDoes) {
  const Report fits = Answer({kCpu, kGradients});
  EXPECT_TRUE(fits.fits());
  // 1.56 billion parameters, 16 bytes each: FP32 weights, moments and gradients.
  EXPECT_NEAR(fits.host().memory_gib(), 1.5578e9 * 16 / (1 << 30), 0.5);
  const Report full = Answer({kCpu, kGradients, "cluster.host_memory_gb=20"});
  EXPECT_FALSE(full.fits());
  EXPECT_LT(full.memory().peak_gib(), full.memory().capacity_gib());
}

TEST(Offload, FreesTheDeviceAndTakesLonger) {
  const Report here = Answer({});
  const Report away = Answer({kCpu, kGradients});
  EXPECT_FALSE(here.has_host());
  // 12 bytes of state and 4 of gradients, an eighth of 1.56 billion each.
  EXPECT_GT(here.memory().peak_gib() - away.memory().peak_gib(), 2.5);
  EXPECT_GT(away.step_seconds(), here.step_seconds());
  // A delayed update hides under the passes.
  const Report delayed =
      Answer({kCpu, kGradients, "training.offload.delayed_update=true"});
  EXPECT_LT(delayed.step_seconds(), away.step_seconds());
  // Drives are slower than memory.
  const Report drives =
      Answer({"training.offload.optimizer=NVME", kGradients});
  EXPECT_GT(drives.step_seconds(), away.step_seconds());
  EXPECT_GT(drives.host().disk_gib(), 0);
}

TEST(Offload, FoldedRunsEqualUnfoldedOnes) {
  for (const auto& sets : std::vector<std::vector<std::string>>{
           {kCpu, kGradients},
           {"training.offload.cpu_offloading_num_layers=24"},
           {"training.parallel.zero=3", "training.offload.optimizer=NVME",
            "training.offload.parameters=NVME", kGradients}}) {
    const Inputs inputs = Changed(sets).value();
    EXPECT_EQ(Execute(inputs).value().timeline.makespan,
              Execute(inputs, {.unfold = true}).value().timeline.makespan);
  }
}

TEST(Offload, ActivationsWaitOnTheHost) {
  const Report here = Answer({"training.micro_batch=2"});
  const Report away = Answer(
      {"training.micro_batch=2",
       "training.offload.cpu_offloading_num_layers=48"});
  EXPECT_LT(away.memory().peak_gib(), here.memory().peak_gib());
  EXPECT_GT(away.host().memory_gib(), 0);
  const Report waits = Answer(
      {"training.micro_batch=2",
       "training.offload.cpu_offloading_num_layers=48",
       "training.offload.activations_wait=true"});
  EXPECT_GT(waits.step_seconds(), away.step_seconds());
}

TEST(Offload, IsAWayOut) {
  const Report full =
      Answer({"model.preset=llama2-7b", "cluster.preset=a100-1x",
              "training.parallel.zero=0", "training.global_batch=1"});
  ASSERT_FALSE(full.fits());
  bool offered = false;
  for (const WayOut& way : full.ways_out()) {
    offered = offered ||
              way.change().find("training.offload.optimizer=CPU") !=
                  std::string::npos;
  }
  EXPECT_TRUE(offered);
}

TEST(Offload, DrivesAreAWayOutOfAHostThatIsTooSmall) {
  // 6.74 billion parameters, 16 bytes each; eight ranks stage three groups of a
  // hundred million.
  const Report full = Answer({"model.preset=llama2-7b", kCpu, kGradients,
                              "cluster.host_memory_gb=100"});
  bool offered = false;
  for (const WayOut& way : full.ways_out()) {
    offered = offered ||
              way.change().rfind("training.offload.optimizer=NVME", 0) == 0;
  }
  EXPECT_TRUE(offered);
}

}  // namespace
}  // namespace scenarios
