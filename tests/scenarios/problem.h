// What loading says of a scenario made of settings.
#ifndef TESTS_SCENARIOS_PROBLEM_H_
#define TESTS_SCENARIOS_PROBLEM_H_

#include <string>
#include <vector>

#include "scenarios/load.h"
#include "scenarios/scenario_file.h"

namespace scenarios {

// After the place; empty if it is legal. `sets` come behind `base`.
inline std::string ProblemOf(std::vector<std::string> base,
                             const std::vector<std::string>& sets) {
  base.insert(base.end(), sets.begin(), sets.end());
  const auto scenario = ParseScenario("drawn", "name: \"a\"\n", base);
  if (!scenario.ok()) return std::string(scenario.status().message());
  const auto inputs = InputsOf(*scenario);
  if (inputs.ok()) return "";
  const std::string message(inputs.status().message());
  const size_t field = message.rfind("training.");
  return field == std::string::npos ? message : message.substr(field);
}

}  // namespace scenarios

#endif  // TESTS_SCENARIOS_PROBLEM_H_
