#include "hardware/gpu.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hardware/calibration.h"
#include "sim/data_path.h"

namespace hardware {
namespace {

// A copy of a GPU's file with one line replaced, gone with the test.
class Edited {
 public:
  Edited(const std::string& from, const std::string& line,
         const std::string& by)
      : path_(
            std::filesystem::path(::testing::TempDir()) /
            absl::StrCat(
                ::testing::UnitTest::GetInstance()->current_test_info()->name(),
                ++made_, ".textproto")) {
    std::ifstream in(from);
    std::ofstream out(path_);
    for (std::string each; std::getline(in, each);) {
      out << (each.rfind(line, 0) == 0 ? by : each) << '\n';
    }
  }
  ~Edited() { std::filesystem::remove(path_); }
  Edited(const Edited&) = delete;
  std::string path() const { return path_.string(); }

 private:
  static inline int made_ = 0;
  std::filesystem::path path_;
};

TEST(LoadGpu, ReadsTheDatasheetInUnits) {
  const absl::StatusOr<GpuSpec> h100 = LoadGpu("h100-sxm-80gb");
  ASSERT_TRUE(h100.ok()) << h100.status();
  EXPECT_EQ(h100->name, "h100-sxm-80gb");
  EXPECT_EQ(h100->calibration, "hopper");
  EXPECT_EQ(h100->memory_capacity, sim::MiB(81559));
  EXPECT_EQ(h100->memory_bandwidth, sim::GBps(3350));
  EXPECT_EQ(h100->nvlink_bandwidth, sim::GBps(450));
  // 132 SMs * 4096 FLOP per clock * 1.83 GHz = 989.4 TFLOP/s.
  EXPECT_NEAR(h100->peak[models::DType::kBf16].count(), 132 * 4096 * 1.83e9,
              0.1e12);
  EXPECT_FALSE(h100->Supports(models::DType::kInt4));
}

TEST(LoadGpu, EveryFileLoadsAndNamesItsCalibration) {
  const std::vector<std::string> names = GpuNames();
  EXPECT_EQ(names.size(), 8);
  for (const std::string& name : names) {
    const absl::StatusOr<GpuSpec> gpu = LoadGpu(name);
    ASSERT_TRUE(gpu.ok()) << gpu.status();
    EXPECT_TRUE(LoadCalibration(gpu->calibration).ok()) << name;
  }
}

TEST(LoadGpu, SuggestsTheNearestName) {
  EXPECT_EQ(LoadGpu("h100-smx-80gb").status().message(),
            "no GPU is called \"h100-smx-80gb\"; did you mean "
            "\"h100-sxm-80gb\"?");
}

TEST(LoadGpu, SaysWhichFieldIsWrong) {
  const std::string good =
      sim::DataPath("hardware/gpus/a100-sxm-80gb.textproto").string();
  const Edited negative(good, "power_watts", "power_watts: -3");
  EXPECT_EQ(
      LoadGpu(negative.path()).status().message(),
      negative.path() +
          ":7:1: power_watts: -3 is out of range; write a number above 0");
  const Edited missing(good, "l2_mib", "");
  EXPECT_EQ(
      LoadGpu(missing.path()).status().message(),
      missing.path() + ":1:1: l2_mib: is missing; write a number above 0");
  const Edited misspelt(good, "l2_mib", "l2_mb: 40");
  EXPECT_EQ(LoadGpu(misspelt.path()).status().message(),
            misspelt.path() +
                ":10:1: l2_mb: no such field; did you mean \"l2_mib\"?");
}

TEST(LoadCalibration, SaysWhatIsMissingUnknownOrGivenTwice) {
  const std::string good =
      sim::DataPath("hardware/calibration/ampere.textproto").string();
  // The message without the place, which moves with every fit.
  const auto problem = [](const Edited& file) {
    const std::string message(LoadCalibration(file.path()).status().message());
    return message.substr(message.find(": ") + 2);
  };
  const std::string norm = "  kernel { family: \"pytorch\" kind: \"norm\"";
  EXPECT_EQ(problem(Edited(good, norm, "")),
            "memory_bound.kernel: has no norm of pytorch; give every kind of "
            "kernel");
  EXPECT_EQ(problem(Edited(good, norm,
                           "  kernel { family: \"pytorch\" kind: \"softmax\" "
                           "launch_us: 2 gb_per_s_per_sm: 20 }")),
            "memory_bound.kernel[5]: is given twice; keep one");
  EXPECT_EQ(problem(Edited(good, norm,
                           "  kernel { family: \"torch\" kind: \"norm\" "
                           "launch_us: 2 gb_per_s_per_sm: 20 }")),
            "memory_bound.kernel[0].family: \"torch\" is unknown; did you mean "
            "\"pytorch\"?");
  EXPECT_EQ(problem(Edited(good, "  l2_held", "  l2_held: 0.9")),
            "memory_bound.l2_held: is out of range; write less than l2_lost");
  EXPECT_EQ(
      problem(Edited(good, "  family: \"triton\"", "  family: \"tritn\"")),
      "attention[4].family: \"tritn\" is unknown; did you mean \"triton\"?");
  EXPECT_EQ(problem(Edited(good, "  family: \"triton\"", "  family: \"fa1\"")),
            "attention[4]: is given twice; keep one");
  EXPECT_EQ(problem(Edited(good, "  sustained { dtype: \"fp8\"", "")),
            "power.sustained: has no fp8; give the fraction of every type");
}

}  // namespace
}  // namespace hardware
