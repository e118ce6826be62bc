// Reads a text in protobuf's text format, or says in the house's words what is
// wrong with it and where.
//
//   layerz: 80         1:1  layerz: no such field; did you mean "layers"?
//   precision: BF17    1:12 precision: no value BF17; did you mean BF16? valid
//   …
//
// TextFormat's own errors point behind a name that is unknown, and at the
// token after a bad enum value, which is often on the next line. It also takes
// enum values by number, duplicate map keys, numbers that overflow to infinity
// and NaN, all of which are refused here.
//
// Part of TextFile; protobuf stays behind it.
#ifndef SIM_TEXT_SYNTAX_H_
#define SIM_TEXT_SYNTAX_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "sim/text_outline.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace sim {

struct TextProblem {
  TextPoint at;
  std::string path;  // of the field; empty for the outermost message
  std::string problem;
};

// Reads `text` into `message`, whose outline is `outline`. What was in the
// message before is gone. Returns the first problem, if there is one.
std::optional<TextProblem> ReadFields(absl::string_view text,
                                      const TextOutline& outline,
                                      google::protobuf::Message* message);

}  // namespace sim

#endif  // SIM_TEXT_SYNTAX_H_
