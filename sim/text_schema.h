// What a protobuf message can hold, in words: for errors about a file's fields
// and about paths such as training.micro_batch.
//
//   SuggestField(Training, "micro_bath")  // did you mean "micro_batch"?
//   Expected(Training.layers)             // a whole number
//
// Part of TextFile; protobuf stays behind it.
#ifndef SIM_TEXT_SCHEMA_H_
#define SIM_TEXT_SCHEMA_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace google::protobuf {
class Descriptor;
class EnumDescriptor;
class FieldDescriptor;
}  // namespace google::protobuf

namespace sim {

// What would work where `type` has no field `name`: the nearest of its fields;
// the path to a field of that very name further in; or the fields it has.
std::string SuggestField(const google::protobuf::Descriptor& type,
                         absl::string_view name);

// The same for an enum: the nearest value, if any, and all the values. A value
// called …UNSPECIFIED is not offered.
std::string SuggestValue(const google::protobuf::EnumDescriptor& type,
                         absl::string_view name);

// What a field takes, as the end of "expected …": "text in quotes".
std::string Expected(const google::protobuf::FieldDescriptor& field);

struct FieldStep {
  const google::protobuf::FieldDescriptor* field = nullptr;
  int index = -1;  // of the element, when the field is repeated
};

// The fields along a path such as "run[2].measured.step_seconds", starting at
// a message of `type`. Only its last field may be repeated without an index.
// Fails with `path: problem; what would work`.
absl::StatusOr<std::vector<FieldStep>> ResolvePath(
    const google::protobuf::Descriptor& type, absl::string_view path);

}  // namespace sim

#endif  // SIM_TEXT_SCHEMA_H_
