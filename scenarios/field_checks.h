// Checks that field.proto's options state: ranges, and what a run needs.
//
//   // training.micro_batch: 0 is below 1; 1 or more works
//   CheckRanges(scenario, [&](path) { return file.At(path); });
//
// To give a field a range: (at_least), (at_most), (above) beside it in its
// .proto.
#ifndef SCENARIOS_FIELD_CHECKS_H_
#define SCENARIOS_FIELD_CHECKS_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace google::protobuf {
class FieldDescriptor;
class Message;
}  // namespace google::protobuf

namespace scenarios {

// Makes the error of the field at a path: `place: path: problem`.
using ErrorAt = absl::FunctionRef<absl::Status(absl::string_view path,
                                               absl::string_view problem)>;

// Fails at the first number that is set, in `message` or a message in it, and
// out of its range. Paths start with `prefix`, e.g. "training.".
absl::Status CheckRanges(const google::protobuf::Message& message,
                         const std::string& prefix, ErrorAt error);

// The unit of a number as its .proto states it; empty if it has none.
std::string UnitOf(const google::protobuf::FieldDescriptor& field);

// Whether a message's defaults hold where it is left out.
bool HoldsAlways(const google::protobuf::FieldDescriptor& field);

}  // namespace scenarios

#endif  // SCENARIOS_FIELD_CHECKS_H_
