// Suites: files of many scenarios, each a run merged over the file's defaults.
//
//   Suite suite = *LoadSuite("scenarios/published/megatron-lm-2021.textproto");
//   RunOf(suite, 2)->scenario.measured().step_seconds();
//   ReadScenario("megatron-lm-2021:gpt-175b");  // one run, by its name
//
// To add one: scenarios/published/<name>.textproto; suite.proto is the
// reference of its fields.
#ifndef SCENARIOS_SUITE_H_
#define SCENARIOS_SUITE_H_

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "scenarios/scenario_file.h"
#include "scenarios/suite.pb.h"
#include "sim/text_file.h"

namespace scenarios {

struct Suite {
  std::string path;
  std::string name;  // of the file, without folder and suffix
  proto::Suite fields;
  sim::TextFile file;

  size_t runs() const { return static_cast<size_t>(fields.run_size()); }
};

// Names in scenarios/published, sorted.
std::vector<std::string> PublishedSuites();

// The file meant by a path or by a name in scenarios/published, if it holds a
// suite: has fields `run` or `defaults`. Nothing for a file that cannot be
// read.
std::optional<std::string> SuiteFileOf(const std::string& path);

// `path:name` taken apart, where path is a suite; nothing if it is not.
std::optional<std::pair<std::string, std::string>> RunInSuite(
    const std::string& path);

// Fails on what TextFile refuses, on a suite without runs, on a run without a
// name or with another's, and on an `include` inside a run.
absl::StatusOr<Suite> LoadSuite(const std::string& path);
absl::StatusOr<Suite> ParseSuite(const std::string& name,
                                 const std::string& text);

// One run as a scenario of its own. REQUIRES: run < suite.runs().
absl::StatusOr<ScenarioFile> RunOf(const Suite& suite, size_t run,
                                   std::span<const std::string> sets = {});

// The run of that name; the error asks "did you mean".
absl::StatusOr<size_t> FindRun(const Suite& suite, absl::string_view name);

}  // namespace scenarios

#endif  // SCENARIOS_SUITE_H_
