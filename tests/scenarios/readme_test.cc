// The README shows what the program prints.
#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <string>

#include "scenarios/load.h"
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

TEST(Readme, NamesScenariosThatLoad) {
  const std::string readme = Readme();
  const std::regex command("orrery (?:run|compare|explain) ([a-z][a-z0-9-]+)"
                           "(?=\\s|$)");
  std::set<std::string> names;
  for (auto it = std::sregex_iterator(readme.begin(), readme.end(), command);
       it != std::sregex_iterator(); ++it) {
    names.insert((*it)[1]);
  }
  EXPECT_FALSE(names.empty());
  for (const std::string& name : names) {
    const auto inputs = scenarios::Load(name, {});
    EXPECT_TRUE(inputs.ok()) << name << ": " << inputs.status();
  }
}

}  // namespace
