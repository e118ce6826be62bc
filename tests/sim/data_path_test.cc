#include "sim/data_path.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

namespace sim {
namespace {

TEST(DataPath, LeadsIntoTheSourceTree) {
  unsetenv("ORRERY_HOME");
  EXPECT_TRUE(std::filesystem::exists(DataPath("sim/data_path.h")));
}

TEST(DataPath, OrreryHomeComesFirst) {
  setenv("ORRERY_HOME", "/elsewhere", /*overwrite=*/1);
  EXPECT_EQ(DataPath("models/zoo"), "/elsewhere/models/zoo");
}

TEST(DataPath, AnEmptyOrreryHomeIsNone) {
  setenv("ORRERY_HOME", "", /*overwrite=*/1);
  EXPECT_TRUE(std::filesystem::exists(DataPath("sim/data_path.h")));
}

}  // namespace
}  // namespace sim
