#include "tools/calibrate/measure/options.h"

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

namespace tools {
namespace {

std::string ParseFamilies(const std::string& list,
                          std::vector<std::string>* only) {
  std::istringstream names(list);
  std::string name;
  while (std::getline(names, name, ',')) {
    const std::vector<std::string>& known = Families();
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      std::string all;
      for (const std::string& family : known) {
        all += all.empty() ? family : ", " + family;
      }
      return "--only: there is no family \"" + name + "\"; there are " + all;
    }
    only->push_back(name);
  }
  return only->empty() ? "--only: name a family" : "";
}

}  // namespace

std::string ParseOptions(const std::vector<std::string>& arguments,
                         Options* options) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--quick") {
      options->plan.profile = Profile::kQuick;
    } else if (argument == "--check") {
      options->check_only = true;
      options->plan.profile = Profile::kQuick;
    } else if (argument == "--plan") {
      options->print_plan = true;
    } else if (argument == "--verbose") {
      options->verbose = true;
    } else if (argument == "--help" || argument == "-h") {
      options->help = true;
    } else if (argument == "--out" || argument == "--only") {
      if (++i == arguments.size()) return argument + ": takes a value";
      if (argument == "--out") {
        options->folder = arguments[i];
      } else {
        const std::string problem =
            ParseFamilies(arguments[i], &options->plan.only);
        if (!problem.empty()) return problem;
      }
    } else {
      return "unknown option " + argument;
    }
  }
  return "";
}

}  // namespace tools
