#include "tools/calibrate/constant.h"

#include <gtest/gtest.h>

#include "hardware/calibration.h"
#include "hardware/calibration.pb.h"
#include "sim/data_path.h"
#include "sim/text_file.h"
#include "tools/calibrate/recipe.pb.h"

namespace tools {
namespace {

hardware::proto::Calibration TwoKernels() {
  hardware::proto::Calibration c;
  auto* gemm = c.add_gemm();
  gemm->set_family("cublas");
  gemm->set_launch_us(2.5);
  auto* forward = c.add_attention();
  forward->set_family("fa3");
  forward->set_efficiency(0.75);
  auto* backward = c.add_attention();
  backward->set_family("fa3");
  backward->set_backward(true);
  backward->set_efficiency(0.5);
  return c;
}

TEST(Constant, IsFoundByItsPath) {
  const hardware::proto::Calibration c = TwoKernels();
  EXPECT_EQ(ReadConstant("gemm[family=cublas].launch_us", c).value(), 2.5);
  EXPECT_EQ(
      ReadConstant("attention[family=fa3,backward=true].efficiency", c).value(),
      0.5);
  // A field that is left out has its default.
  EXPECT_EQ(ReadConstant("attention[family=fa3,backward=false].efficiency", c)
                .value(),
            0.75);
}

TEST(Constant, IsSetWhereItIsFound) {
  hardware::proto::Calibration c = TwoKernels();
  ASSERT_TRUE(
      SetConstant("attention[family=fa3,backward=true].efficiency", 0.625, c)
          .ok());
  EXPECT_EQ(c.attention(0).efficiency(), 0.75);
  EXPECT_EQ(c.attention(1).efficiency(), 0.625);
}

TEST(Constant, SaysWhereAPathEnds) {
  const hardware::proto::Calibration c = TwoKernels();
  EXPECT_EQ(ReadConstant("gemm[family=cublas].lunch_us", c).status().message(),
            "gemm[family=cublas].lunch_us: there is no number lunch_us in "
            "hardware.proto.GemmLaw");
  EXPECT_EQ(
      ReadConstant("attention[family=fa4].efficiency", c).status().message(),
      "attention[family=fa4]: there is no attention[family=fa4] in "
      "hardware.proto.Calibration");
  EXPECT_FALSE(ReadConstant("attention.efficiency", c).ok());
  EXPECT_FALSE(ReadConstant("gemm[family=cublas].split", c).ok());  // a message
}

TEST(Recipes, LeadToConstantsOfSomeCalibration) {
  proto::Recipes recipes;
  ASSERT_TRUE(
      sim::TextFile::Load(
          sim::DataPath("tools/calibrate/recipes.textproto").string(), &recipes)
          .ok());
  EXPECT_GT(recipes.recipe_size(), 0);
  std::vector<hardware::proto::Calibration> calibrations(2);
  for (size_t i = 0; i < 2; ++i) {
    const std::string path =
        hardware::CalibrationPath(i == 0 ? "ampere" : "hopper");
    ASSERT_TRUE(sim::TextFile::Load(path, &calibrations[i]).ok());
  }
  for (const proto::Recipe& recipe : recipes.recipe()) {
    for (const auto& constant : recipe.constant()) {
      double start = -1;
      for (const auto& calibration : calibrations) {
        const auto found = ReadConstant(constant.path(), calibration);
        if (!found.ok()) continue;
        start = *found;
        EXPECT_GE(start, constant.least()) << constant.path();
        EXPECT_LE(start, constant.most()) << constant.path();
      }
      EXPECT_GE(start, 0) << recipe.name() << ": " << constant.path();
    }
    hardware::proto::Calibration any = calibrations[1];
    const bool hopper = FindMessage(recipe.law() + ".provenance", any).ok();
    any = calibrations[0];
    EXPECT_TRUE(hopper || FindMessage(recipe.law() + ".provenance", any).ok())
        << recipe.law();
  }
}

}  // namespace
}  // namespace tools
