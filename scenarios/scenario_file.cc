#include "scenarios/scenario_file.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "scenarios/field_checks.h"
#include "scenarios/suite.h"
#include "scenarios/text_files.h"
#include "sim/data_path.h"
#include "sim/spelling.h"

namespace scenarios {
namespace {

constexpr char kSuffix[] = ".textproto";

absl::StatusOr<ScenarioFile> ReadRun(const std::string& path,
                                     const std::string& name,
                                     std::span<const std::string> sets) {
  const absl::StatusOr<Suite> suite = LoadSuite(path);
  if (!suite.ok()) return suite.status();
  const absl::StatusOr<size_t> run = FindRun(*suite, name);
  if (!run.ok()) return run.status();
  return RunOf(*suite, *run, sets);
}

// One scenario was asked for where there are many.
absl::Status IsSuite(const std::string& path, const std::string& asked) {
  const absl::StatusOr<Suite> suite = LoadSuite(path);
  if (!suite.ok()) return suite.status();
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": is a suite of ", suite->runs(), " runs; name one, as in ", asked,
      ":", suite->fields.run(0).name(), ", or let `orrery validate ", asked,
      "` predict them all"));
}

// The file meant by a path or a library name.
absl::StatusOr<std::string> FileOf(const std::string& path) {
  const bool is_path = absl::StrContains(path, '/') ||
                       absl::EndsWith(path, kSuffix) ||
                       std::filesystem::exists(path);
  if (is_path) return path;
  const std::vector<std::string> names = LibraryNames();
  if (!std::binary_search(names.begin(), names.end(), path)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": no such file, nor a scenario of the library; ",
                     sim::Suggest(path, names, "scenarios")));
  }
  return sim::DataPath(absl::StrCat("scenarios/library/", path, kSuffix))
      .string();
}

}  // namespace

std::vector<std::string> LibraryNames() {
  return TextFilesIn("scenarios/library");
}

absl::StatusOr<ScenarioFile> ScenarioOf(proto::Scenario scenario,
                                        sim::TextFile file) {
  const absl::Status ranges = CheckRanges(
      scenario, "", [&](absl::string_view path, absl::string_view problem) {
        return file.Error(path, problem);
      });
  if (!ranges.ok()) return ranges;
  const bool serves = scenario.has_serving();
  const std::string& name = serves ? scenario.serving().profile()
                                   : scenario.training().profile();
  absl::StatusOr<Profile> profile = LoadProfile(name);
  if (!profile.ok()) {
    // An unknown name is the scenario's fault; a bad profile has its own place.
    if (!absl::StartsWith(profile.status().message(), "there is no profile")) {
      return profile.status();
    }
    return file.Error(serves ? "serving.profile" : "training.profile",
                      profile.status().message());
  }
  if (serves != profile->fields.has_serving()) {
    return file.Error(
        serves ? "serving.profile" : "training.profile",
        absl::StrCat("\"", name, "\" is a profile of ",
                     serves ? "training" : "an inference engine",
                     "; `orrery list profiles` says which are of what"));
  }
  proto::Training training = profile->fields.training();
  if (scenario.training().parallel().chunk_layers_size() > 0) {
    training.mutable_parallel()->clear_chunk_layers();
  }
  if (scenario.training().parallel().schedule_table_size() > 0) {
    training.mutable_parallel()->clear_schedule_table();
  }
  if (scenario.training().has_sequences()) training.clear_sequences();
  training.MergeFrom(scenario.training());
  training.set_profile(name);
  proto::Serving serving = profile->fields.serving();
  serving.MergeFrom(scenario.serving());
  serving.set_profile(name);
  return ScenarioFile{std::move(scenario), std::move(file), *std::move(profile),
                      std::move(training), std::move(serving)};
}

absl::StatusOr<ScenarioFile> ReadScenario(const std::string& path,
                                          std::span<const std::string> sets) {
  if (const auto run = RunInSuite(path)) {
    return ReadRun(run->first, run->second, sets);
  }
  if (const auto suite = SuiteFileOf(path)) return IsSuite(*suite, path);
  const absl::StatusOr<std::string> found = FileOf(path);
  if (!found.ok()) return found.status();
  proto::Scenario scenario;
  absl::StatusOr<sim::TextFile> file =
      sim::TextFile::Load(*found, &scenario, sets);
  if (!file.ok()) return file.status();
  return ScenarioOf(std::move(scenario), *std::move(file));
}

absl::StatusOr<ScenarioFile> ParseScenario(const std::string& name,
                                           const std::string& text,
                                           std::span<const std::string> sets) {
  proto::Scenario scenario;
  absl::StatusOr<sim::TextFile> file =
      sim::TextFile::Parse(name, text, &scenario, sets);
  if (!file.ok()) return file.status();
  return ScenarioOf(std::move(scenario), *std::move(file));
}

std::string OriginOf(const ScenarioFile& scenario, absl::string_view path) {
  const sim::TextField field = scenario.file.At(path);
  if (field.IsSet()) return field.Origin();
  if (absl::StartsWith(path, "training.") ||
      absl::StartsWith(path, "serving.")) {
    const sim::TextField choice = scenario.profile.file.At(path);
    if (choice.IsSet()) {
      return std::filesystem::path(choice.Origin()).filename().string();
    }
  }
  return "default";
}

}  // namespace scenarios
