#include "scenarios/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "scenarios/profiles.h"
#include "tests/scenarios/library_names.h"

namespace scenarios {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

models::TrainingSpec TrainingOf(const std::vector<std::string>& sets) {
  return Load("llama3-70b-64xh100", sets).value().training;
}

TEST(Load, EveryLibraryScenarioHasANameAndFillsItsCluster) {
  const std::vector<std::string> names = LibraryOf(Question::kTraining);
  EXPECT_GE(names.size(), 12u);
  for (const std::string& name : names) {
    const absl::StatusOr<Inputs> inputs = Load(name);
    ASSERT_TRUE(inputs.ok()) << inputs.status();
    EXPECT_NE(inputs->name, inputs->model.name) << name << ": no name";
    EXPECT_EQ(inputs->training.split.ranks(), inputs->cluster.ranks()) << name;
  }
}

TEST(Load, ReplicasFillTheGpusThatTheSplitLeaves) {
  // 64 GPUs / (tensor 8 x pipeline 4) = 2; 128 / 32 = 4.
  EXPECT_EQ(TrainingOf({}).split.data, 2);
  EXPECT_EQ(TrainingOf({"cluster.nodes=16"}).split.data, 4);
}

TEST(Load, AScenarioBeatsItsProfileAndAProfileBeatsTheDefault) {
  // training.proto's default is FLASH_2, megatron-core's choice CUDNN.
  EXPECT_EQ(TrainingOf({}).kernels.attention, models::AttentionFamily::kCudnn);
  EXPECT_EQ(
      TrainingOf({"training.kernels.attention=FLASH_3"}).kernels.attention,
      models::AttentionFamily::kFlash3);
  EXPECT_FALSE(TrainingOf({}).kernels.fused_cross_entropy);
  EXPECT_TRUE(
      TrainingOf({"training.profile=nemo"}).kernels.fused_cross_entropy);
}

TEST(Load, TheScheduleFollowsFromVirtualStages) {
  EXPECT_EQ(TrainingOf({}).split.schedule, "interleaved-1f1b");
  EXPECT_EQ(TrainingOf({"training.parallel.virtual_stages=1"}).split.schedule,
            "1f1b");
}

TEST(Load, LayersThatDoNotDivideArePlacedByTheFrameworksRule) {
  const auto chunks = [](const std::string& placement, int layers) {
    return TrainingOf({"training.parallel.virtual_stages=1",
                       "model.transformer.layers=" + std::to_string(layers),
                       "training.parallel.placement=" + placement})
        .split.chunk_layers;
  };
  EXPECT_THAT(chunks("EVEN", 80), IsEmpty());
  // 78 layers on 4 stages: 20 each, the last takes what is left.
  EXPECT_THAT(chunks("FILL", 78), ElementsAre(20, 20, 20, 18));
  // 78 layers, embedding and head are 80: 20 each, of which one is no layer at
  // either end.
  EXPECT_THAT(chunks("COUNT_ENDS", 78), ElementsAre(19, 20, 20, 19));
}

TEST(Load, AShardGroupOfAllRanksIsNoGroup) {
  const auto group = [](const std::string& ranks) {
    return Load("llama2-7b-128xa100-hsdp",
                std::vector<std::string>{"training.parallel.shard_group=" +
                                         ranks})
        .value()
        .training.split.shard_group;
  };
  EXPECT_EQ(group("8"), 8);
  EXPECT_EQ(group("128"), 0);
}

TEST(Load, AnUnknownLibraryNameAsksForTheNearest) {
  EXPECT_EQ(Load("llama3-70b-64xh10").status().message(),
            "llama3-70b-64xh10: no such file, nor a scenario of the library; "
            "did you mean \"llama3-70b-64xh100\"?");
}

TEST(Profiles, EachSaysWhatItIsAndWhereItsChoicesComeFrom) {
  for (const std::string& name : ProfileNames()) {
    const absl::StatusOr<Profile> profile = LoadProfile(name);
    ASSERT_TRUE(profile.ok()) << profile.status();
    EXPECT_FALSE(profile->fields.describes().empty()) << name;
    EXPECT_GT(profile->fields.source_size(), 0) << name;
    EXPECT_NE(profile->fields.training().kernels().has_attention(),
              profile->fields.serving().engine().kernels().has_attention())
        << name;
    EXPECT_FALSE(profile->fields.training().has_profile()) << name;
    EXPECT_FALSE(profile->fields.serving().has_profile()) << name;
  }
}

}  // namespace
}  // namespace scenarios
