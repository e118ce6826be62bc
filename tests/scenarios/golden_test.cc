// The text report of every scenario of the library is checked in under golden/.
// `tools/golden` shows what moved, `tools/golden --update` accepts it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "scenarios/answer.h"
#include "scenarios/load.h"
#include "scenarios/report.h"
#include "scenarios/run.h"
#include "scenarios/scenario_file.h"
#include "scenarios/serving_inputs.h"
#include "scenarios/serving_report.h"
#include "scenarios/serving_run.h"
#include "sim/data_path.h"
#include "sim/read_text.h"

namespace scenarios {
namespace {

constexpr char kGolden[] = "tests/scenarios/golden";

std::string ReportOf(const ScenarioFile& file) {
  if (file.serves()) {
    const ServingInputs inputs = ServingInputsOf(file).value();
    return ToText(Summarize(inputs, Serve(inputs)));
  }
  const Inputs inputs = InputsOf(file).value();
  return ToText(Summarize(inputs, Execute(inputs).value()));
}

class GoldenReport : public testing::TestWithParam<std::string> {};

TEST_P(GoldenReport, IsTheOneCheckedIn) {
  const absl::StatusOr<std::string> golden = sim::ReadText(
      sim::DataPath(absl::StrCat(kGolden, "/", GetParam(), ".txt")).string());
  ASSERT_TRUE(golden.ok()) << golden.status().message()
                           << "; tools/golden --update makes it";
  EXPECT_EQ(*golden, ReportOf(ReadScenario(GetParam()).value()));
}

std::string TestName(const testing::TestParamInfo<std::string>& name) {
  std::string text = name.param;
  for (char& c : text) c = c == '-' || c == '.' ? '_' : c;
  return text;
}

INSTANTIATE_TEST_SUITE_P(Library, GoldenReport,
                         testing::ValuesIn(LibraryNames()), TestName);

TEST(Golden, EveryReportIsOfAScenario) {
  const std::vector<std::string> names = LibraryNames();
  for (const auto& file :
       std::filesystem::directory_iterator(sim::DataPath(kGolden))) {
    EXPECT_TRUE(
        std::binary_search(names.begin(), names.end(), file.path().stem()))
        << file.path() << " has no scenario; tools/golden --update removes it";
  }
}

}  // namespace
}  // namespace scenarios
