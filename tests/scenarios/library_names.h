// The library's scenarios by what they ask about.
//
//   for (const std::string& name : LibraryOf(Question::kTraining)) …
#ifndef TESTS_SCENARIOS_LIBRARY_NAMES_H_
#define TESTS_SCENARIOS_LIBRARY_NAMES_H_

#include <string>
#include <vector>

#include "scenarios/scenario_file.h"

namespace scenarios {

enum class Question { kTraining, kServing };

inline std::vector<std::string> LibraryOf(Question question) {
  std::vector<std::string> names;
  for (const std::string& name : LibraryNames()) {
    const bool serves = ReadScenario(name).value().serves();
    if (serves == (question == Question::kServing)) names.push_back(name);
  }
  return names;
}

}  // namespace scenarios

#endif  // TESTS_SCENARIOS_LIBRARY_NAMES_H_
