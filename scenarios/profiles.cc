#include "scenarios/profiles.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "scenarios/field_checks.h"
#include "scenarios/text_files.h"
#include "sim/data_path.h"
#include "sim/spelling.h"

namespace scenarios {
namespace {

constexpr char kSuffix[] = ".textproto";

bool IsPath(absl::string_view name) {
  return absl::StrContains(name, '/') || absl::EndsWith(name, kSuffix);
}

}  // namespace

std::vector<std::string> ProfileNames() {
  return TextFilesIn("scenarios/profiles");
}

absl::StatusOr<Profile> LoadProfile(const std::string& name) {
  std::string path = name;
  if (!IsPath(name)) {
    path = sim::DataPath(absl::StrCat("scenarios/profiles/", name, kSuffix))
               .string();
    const std::vector<std::string> names = ProfileNames();
    if (!std::binary_search(names.begin(), names.end(), name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("there is no profile \"", name, "\"; ",
                       sim::Suggest(name, names, "profiles")));
    }
  }
  proto::Profile fields;
  absl::StatusOr<sim::TextFile> file = sim::TextFile::Load(path, &fields);
  if (!file.ok()) return file.status();
  const absl::Status ranges = CheckRanges(
      fields, "", [&](absl::string_view field, absl::string_view problem) {
        return file->Error(field, problem);
      });
  if (!ranges.ok()) return ranges;
  return Profile{std::filesystem::path(path).stem().string(), std::move(fields),
                 *std::move(file)};
}

}  // namespace scenarios
