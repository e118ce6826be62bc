#include "scenarios/suite.h"

#include <algorithm>
#include <filesystem>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "scenarios/text_files.h"
#include "sim/data_path.h"
#include "sim/read_text.h"
#include "sim/spelling.h"
#include "sim/text_outline.h"

namespace scenarios {
namespace {

constexpr char kFolder[] = "scenarios/published/";
constexpr char kSuffix[] = ".textproto";

bool HoldsSuite(const std::string& text) {
  const sim::TextOutline outline(text, *proto::Suite::descriptor());
  return std::any_of(outline.rows().begin(), outline.rows().end(),
                     [](const sim::TextRow& row) {
                       return row.parent < 0 &&
                              (row.name == "run" || row.name == "defaults");
                     });
}

// A scenario inside a suite cannot include: the suite may.
absl::Status CheckInclude(const proto::Scenario& scenario,
                          const sim::TextField& field) {
  if (scenario.include_size() == 0) return absl::OkStatus();
  return field.At("include").Error(
      "runs include nothing; write it at the top of the suite");
}

absl::Status CheckNames(const Suite& suite) {
  absl::btree_map<std::string, size_t> names;
  for (size_t run = 0; run < suite.runs(); ++run) {
    const proto::Scenario& scenario =
        suite.fields.run(static_cast<int>(run));
    const sim::TextField field = suite.file.At("run").At(run);
    const absl::Status include = CheckInclude(scenario, field);
    if (!include.ok()) return include;
    if (scenario.name().empty()) {
      return field.Error("needs a name; e.g. name: \"gpt-175b\"");
    }
    const auto [first, added] = names.try_emplace(scenario.name(), run);
    if (!added) {
      return field.At("name").Error(absl::StrCat("\"", scenario.name(),
                                                 "\" is run[", first->second,
                                                 "] already; give it another"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Suite> Checked(Suite suite) {
  if (suite.runs() == 0) {
    return suite.file.Error("run", "there is none; e.g. run { name: \"a\" }");
  }
  if (!suite.fields.defaults().name().empty()) {
    return suite.file.Error("defaults.name",
                            "would name every run alike; leave it out");
  }
  const absl::Status include =
      CheckInclude(suite.fields.defaults(), suite.file.At("defaults"));
  if (!include.ok()) return include;
  const absl::Status names = CheckNames(suite);
  if (!names.ok()) return names;
  return suite;
}

}  // namespace

std::vector<std::string> PublishedSuites() {
  return TextFilesIn("scenarios/published");
}

std::optional<std::string> SuiteFileOf(const std::string& path) {
  std::string file = path;
  if (!absl::StrContains(path, '/') && !absl::EndsWith(path, kSuffix)) {
    const std::vector<std::string> names = PublishedSuites();
    if (!std::binary_search(names.begin(), names.end(), path)) return {};
    file = sim::DataPath(absl::StrCat(kFolder, path, kSuffix)).string();
  }
  const absl::StatusOr<std::string> text = sim::ReadText(file);
  if (!text.ok() || !HoldsSuite(*text)) return {};
  return file;
}

std::optional<std::pair<std::string, std::string>> RunInSuite(
    const std::string& path) {
  const size_t colon = path.find(':');
  if (colon == std::string::npos) return {};
  std::optional<std::string> file = SuiteFileOf(path.substr(0, colon));
  if (!file) return {};
  return std::pair(*std::move(file), path.substr(colon + 1));
}

absl::StatusOr<Suite> LoadSuite(const std::string& path) {
  proto::Suite fields;
  absl::StatusOr<sim::TextFile> file = sim::TextFile::Load(path, &fields);
  if (!file.ok()) return file.status();
  return Checked({path, std::filesystem::path(path).stem().string(),
                  std::move(fields), *std::move(file)});
}

absl::StatusOr<Suite> ParseSuite(const std::string& name,
                                 const std::string& text) {
  proto::Suite fields;
  absl::StatusOr<sim::TextFile> file =
      sim::TextFile::Parse(name, text, &fields);
  if (!file.ok()) return file.status();
  return Checked({name, std::filesystem::path(name).stem().string(),
                  std::move(fields), *std::move(file)});
}

absl::StatusOr<ScenarioFile> RunOf(const Suite& suite, size_t run,
                                   std::span<const std::string> sets) {
  const sim::TextFile::Part parts[] = {
      {"defaults", &suite.fields.defaults()},
      {absl::StrCat("run[", run, "]"),
       &suite.fields.run(static_cast<int>(run))}};
  proto::Scenario scenario;
  sim::TextFile file = suite.file.Merged(parts, &scenario);
  for (const std::string& set : sets) {
    const absl::Status status = file.Set(set, &scenario);
    if (!status.ok()) return status;
  }
  return ScenarioOf(std::move(scenario), std::move(file));
}

absl::StatusOr<size_t> FindRun(const Suite& suite, absl::string_view name) {
  std::vector<std::string> names;
  for (const proto::Scenario& run : suite.fields.run()) {
    if (run.name() == name) return names.size();
    names.push_back(run.name());
  }
  return absl::InvalidArgumentError(
      absl::StrCat(suite.path, ": has no run \"", name, "\"; ",
                   sim::Suggest(name, names, "runs")));
}

}  // namespace scenarios
