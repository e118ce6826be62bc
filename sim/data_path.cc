#include "sim/data_path.h"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "absl/strings/string_view.h"

namespace sim {
namespace {

namespace fs = std::filesystem;

fs::path DataRoot() {
  const char* home = std::getenv("ORRERY_HOME");
  if (home != nullptr && *home != '\0') return home;
  std::error_code error;
  const fs::path built_from = ORRERY_SOURCE_ROOT;
  if (fs::is_directory(built_from, error)) return built_from;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return program.parent_path().parent_path().parent_path();
}

}  // namespace

fs::path DataPath(absl::string_view relative) {
  return DataRoot() / std::string(relative);
}

}  // namespace sim
