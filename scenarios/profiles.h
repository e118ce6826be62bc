// Framework profiles: scenarios/profiles/<name>.textproto.
//
//   Profile nemo = *LoadProfile("nemo");
//   nemo.fields.training().kernels().attention();  // CUDNN
//   nemo.file.At("training.kernels.attention").Origin();  // ….textproto:12
//
// To add a profile: write the file (profile.proto is the reference); a test
// loads every one and demands its sources.
#ifndef SCENARIOS_PROFILES_H_
#define SCENARIOS_PROFILES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "scenarios/profile.pb.h"
#include "sim/text_file.h"

namespace scenarios {

struct Profile {
  std::string name;
  proto::Profile fields;
  sim::TextFile file;  // where each field stands
};

// `name` is that of a file in scenarios/profiles, or the path of one. Fails on
// an unknown name, naming the nearest, and on a field out of range.
absl::StatusOr<Profile> LoadProfile(const std::string& name);

// Names in scenarios/profiles, sorted.
std::vector<std::string> ProfileNames();

}  // namespace scenarios

#endif  // SCENARIOS_PROFILES_H_
