// One `--set a.b=value` made ready to merge into a message.
//
//   training.micro_batch=2            sets a field
//   model.preset=llama3-70b           text needs no quotes
//   training.parallel={ tensor: 4 }   merges into a sub-message
//   run[1].layers=[4, 6]              replaces a list, of one list's element
//
// Part of TextFile; protobuf stays behind it.
#ifndef SIM_TEXT_OVERRIDE_H_
#define SIM_TEXT_OVERRIDE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sim/text_schema.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace sim {

struct TextOverride {
  std::string path;              // "training.micro_batch"
  std::string prefix;            // of the paths beside it: "training."
  std::vector<FieldStep> steps;  // along the path; the last is the field's
  std::string text;              // "micro_batch: 2", a field of its holder
};

// Takes `assignment` apart, for a message that it may be merged into.
// Fails with `path: problem; what would work` on a path that leads nowhere;
// whether the value fits the field is for ReadFields to say.
absl::StatusOr<TextOverride> ParseOverride(
    absl::string_view assignment, const google::protobuf::Message& message);

// The message that the override's text is a field of, made where it is not set.
google::protobuf::Message* MutableHolder(const TextOverride& set,
                                         google::protobuf::Message* message);

}  // namespace sim

#endif  // SIM_TEXT_OVERRIDE_H_
