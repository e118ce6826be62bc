// Where the data files lie: models/zoo, hardware/gpus, scenarios/library, ...
//
//   DataPath("models/zoo")  // /src/orrery/models/zoo
//
// To use another set of data files, give the program ORRERY_HOME=/other/root.
#ifndef SIM_DATA_PATH_H_
#define SIM_DATA_PATH_H_

#include <filesystem>

#include "absl/strings/string_view.h"

namespace sim {

// `relative` below the root of the data files, which is the first of
//   1. the environment's ORRERY_HOME, if set and not empty;
//   2. the source tree this program was built from, if it still exists;
//   3. two folders above the program: the checkout around build/release/orrery.
// The file itself need not exist.
std::filesystem::path DataPath(absl::string_view relative);

}  // namespace sim

#endif  // SIM_DATA_PATH_H_
