#include "scenarios/text_files.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "sim/data_path.h"

namespace scenarios {

std::vector<std::string> TextFilesIn(absl::string_view folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(sim::DataPath(folder), error)) {
    if (entry.path().extension() == ".textproto") {
      names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace scenarios
