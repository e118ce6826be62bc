// The files of a folder, by name: hardware/clusters/dgx-h100.textproto is
// "dgx-h100".
//
//   proto::Cluster message;
//   LoadPresetFile(kClusters, "dgx-h100", &message);
//   LoadPresetFile(kClusters, "dgx-h10", &message);
//   // no cluster is called "dgx-h10"; did you mean "dgx-h100"?
#ifndef HARDWARE_PRESET_FILES_H_
#define HARDWARE_PRESET_FILES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sim/text_file.h"

namespace hardware {

struct PresetFolder {
  absl::string_view path;          // below the root of the data files
  absl::string_view kind, plural;  // what its files describe, for errors
};

inline constexpr PresetFolder kClusters{"hardware/clusters", "cluster",
                                        "clusters"};
inline constexpr PresetFolder kGpus{"hardware/gpus", "GPU", "GPUs"};
inline constexpr PresetFolder kNetworks{"hardware/networks", "network",
                                        "networks"};
inline constexpr PresetFolder kCalibrations{"hardware/calibration",
                                            "calibration", "calibrations"};

// Names of the folder's .textproto files, sorted.
std::vector<std::string> PresetNames(const PresetFolder& folder);

// "x" of "x" and of "some/folder/x.textproto".
std::string PresetName(absl::string_view name_or_path);

// Reads the file of that name into `message`. A name that ends in .textproto is
// a path of its own. Fails on an unknown name, on a file that does not parse
// and on one whose list `source` is empty.
absl::StatusOr<sim::TextFile> LoadPresetFile(
    const PresetFolder& folder, absl::string_view name,
    google::protobuf::Message* message);

}  // namespace hardware

#endif  // HARDWARE_PRESET_FILES_H_
