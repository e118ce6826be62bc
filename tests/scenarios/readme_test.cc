// The README shows what the program prints.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "scenarios/load.h"
#include "scenarios/scenario_file.h"
#include "scenarios/serving_inputs.h"
#include "sim/data_path.h"
#include "sim/read_text.h"

namespace {

std::string Readme() {
  return sim::ReadText(sim::DataPath("README.md")).value();
}

TEST(Readme, ShowsTheReportThatQuickstartPrints) {
  const std::string golden =
      sim::ReadText(
          sim::DataPath("tests/scenarios/golden/llama3-70b-64xh100.txt"))
          .value();
  EXPECT_NE(Readme().find(golden), std::string::npos);
}

// The scenarios that its commands name: `orrery run NAME` and the like.
std::set<std::string> ScenariosNamed() {
  std::set<std::string> names;
  const std::string readme = Readme();
  const std::vector<absl::string_view> words =
      absl::StrSplit(readme, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  const std::set<absl::string_view> commands = {"run", "compare", "explain",
                                                "capacity"};
  for (size_t i = 0; i + 2 < words.size(); ++i) {
    if (!absl::EndsWith(words[i], "orrery") || !commands.contains(words[i + 1])) {
      continue;
    }
    const bool name = words[i + 2].find_first_not_of(
                          "abcdefghijklmnopqrstuvwxyz0123456789-") ==
                          absl::string_view::npos &&
                      absl::ascii_isalpha(
                          static_cast<unsigned char>(words[i + 2][0]));
    if (name) names.insert(std::string(words[i + 2]));
  }
  return names;
}

TEST(Readme, NamesScenariosThatLoad) {
  EXPECT_FALSE(ScenariosNamed().empty());
  for (const std::string& name : ScenariosNamed()) {
    const auto file = scenarios::ReadScenario(name);
    ASSERT_TRUE(file.ok()) << name << ": " << file.status();
    const absl::Status status = file->serves()
                                    ? scenarios::ServingInputsOf(*file).status()
                                    : scenarios::InputsOf(*file).status();
    EXPECT_TRUE(status.ok()) << name << ": " << status;
  }
}

}  // namespace
