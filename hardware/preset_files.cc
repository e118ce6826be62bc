#include "hardware/preset_files.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "sim/data_path.h"
#include "sim/spelling.h"

namespace hardware {
namespace {

constexpr absl::string_view kExtension = ".textproto";

}  // namespace

std::vector<std::string> PresetNames(const PresetFolder& folder) {
  std::vector<std::string> names;
  std::error_code unreadable;  // a folder that is not there has no names
  for (const auto& entry : std::filesystem::directory_iterator(
           sim::DataPath(folder.path), unreadable)) {
    if (entry.path().extension() == std::string(kExtension)) {
      names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string PresetName(absl::string_view name_or_path) {
  if (!absl::EndsWith(name_or_path, kExtension)) {
    return std::string(name_or_path);
  }
  return std::filesystem::path(std::string(name_or_path)).stem().string();
}

absl::StatusOr<sim::TextFile> LoadPresetFile(
    const PresetFolder& folder, absl::string_view name,
    google::protobuf::Message* message) {
  const bool is_path = absl::EndsWith(name, kExtension);
  const std::vector<std::string> names = PresetNames(folder);
  if (!is_path && !std::binary_search(names.begin(), names.end(), name)) {
    return absl::NotFoundError(
        absl::StrCat("no ", folder.kind, " is called \"", name, "\"; ",
                     sim::Suggest(name, names, folder.plural)));
  }
  const std::string path =
      is_path ? std::string(name)
              : sim::DataPath(absl::StrCat(folder.path, "/", name, kExtension))
                    .string();
  absl::StatusOr<sim::TextFile> file = sim::TextFile::Load(path, message);
  if (file.ok() && !file->At("source").IsSet()) {
    return file->Error("source", "is missing; cite where the numbers are from");
  }
  return file;
}

}  // namespace hardware
