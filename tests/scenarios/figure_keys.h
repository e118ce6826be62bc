// The keys of a report's figures, as its message names them.
//
//   FigureKeysOf(*Report::descriptor());  // "scenario", "parts.seconds", …
#ifndef TESTS_SCENARIOS_FIGURE_KEYS_H_
#define TESTS_SCENARIOS_FIGURE_KEYS_H_

#include <google/protobuf/descriptor.h>

#include <set>
#include <string>

namespace scenarios {

// Of the scalar fields, by dots; of a list without the first, which says what a
// row is about.
inline std::set<std::string> FigureKeysOf(
    const google::protobuf::Descriptor& message, const std::string& prefix = "",
    bool skip_first = false) {
  std::set<std::string> keys;
  for (int i = skip_first ? 1 : 0; i < message.field_count(); ++i) {
    const auto* field = message.field(i);
    if (field->message_type() == nullptr) {
      keys.insert(prefix + field->name());
      continue;
    }
    keys.merge(FigureKeysOf(*field->message_type(),
                            prefix + field->name() + ".",
                            field->is_repeated()));
  }
  return keys;
}

}  // namespace scenarios

#endif  // TESTS_SCENARIOS_FIGURE_KEYS_H_
