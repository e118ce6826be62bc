// What scenario files may name: `orrery list KIND`.
//
//   List("gpus");  // h100-sxm-80gb   80 GB  3.35 TB/s  989 TFLOP/s bf16 …
//
// To add a kind: a row of the table in list.cc.
#ifndef SCENARIOS_LIST_H_
#define SCENARIOS_LIST_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace scenarios {

// "gpus", "clusters", "models", "profiles", "schedules", "collectives",
// "scenarios".
std::vector<std::string> ListKinds();

// One line per item, name first, in alphabetical order. Fails on an unknown
// kind and on a file that does not load.
absl::StatusOr<std::string> List(absl::string_view kind);

}  // namespace scenarios

#endif  // SCENARIOS_LIST_H_
