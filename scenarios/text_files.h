// The .textproto files of a folder of the house, by name.
//
//   TextFilesIn("scenarios/profiles");  // {"fsdp", "fsdp-compile", …}
#ifndef SCENARIOS_TEXT_FILES_H_
#define SCENARIOS_TEXT_FILES_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace scenarios {

// Sorted, without the suffix; empty if there is no such folder.
std::vector<std::string> TextFilesIn(absl::string_view folder);

}  // namespace scenarios

#endif  // SCENARIOS_TEXT_FILES_H_
