// A scenario as its file says it, beside the profile it names: what the checks
// of load.h and `orrery explain` read.
//
//   ScenarioFile s = *ReadScenario("a.textproto", {"training.micro_batch=2"});
//   s.training.kernels().attention();  // of the file, else of the profile
//   OriginOf(s, "training.micro_batch");  // "--set"
//   OriginOf(s, "training.kernels.attention");  // "megatron-core.textproto:12"
//   OriginOf(s, "training.optimizer");  // "default"
#ifndef SCENARIOS_SCENARIO_FILE_H_
#define SCENARIOS_SCENARIO_FILE_H_

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "scenarios/profiles.h"
#include "scenarios/scenario.pb.h"
#include "sim/text_file.h"

namespace scenarios {

struct ScenarioFile {
  proto::Scenario scenario;  // as the file, its includes and --set say
  sim::TextFile file;
  Profile profile;
  proto::Training training;  // the profile's, replaced by the scenario's
  proto::Serving serving;    // likewise

  bool serves() const { return scenario.has_serving(); }
};

// `path` is a file, or the name of one in scenarios/library without .textproto,
// or SUITE:RUN, a run of a suite by its name.
// Fails on what TextFile refuses, on an unknown profile and on a number out of
// its field's range.
absl::StatusOr<ScenarioFile> ReadScenario(
    const std::string& path, std::span<const std::string> sets = {});
// The same for text at hand; `name` stands for the path in errors.
absl::StatusOr<ScenarioFile> ParseScenario(
    const std::string& name, const std::string& text,
    std::span<const std::string> sets = {});

// The same for what `file` gave, which has been read already.
absl::StatusOr<ScenarioFile> ScenarioOf(proto::Scenario scenario,
                                        sim::TextFile file);

// Names in scenarios/library, sorted.
std::vector<std::string> LibraryNames();

// Where the value of a field comes from: "a.textproto:7", "--set", the profile
// as "megatron-core.textproto:12", or "default".
std::string OriginOf(const ScenarioFile& scenario, absl::string_view path);

}  // namespace scenarios

#endif  // SCENARIOS_SCENARIO_FILE_H_
