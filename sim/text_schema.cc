#include "sim/text_schema.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "sim/spelling.h"

namespace sim {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

std::vector<std::string> FieldNames(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) {
    names.push_back(type.field(i)->name());
  }
  return names;
}

std::vector<std::string> ValueNames(const EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) {
    const std::string& name = type.value(i)->name();
    if (!absl::EndsWith(name, "UNSPECIFIED")) names.push_back(name);
  }
  return names;
}

// The path to the nearest field of this name in the messages inside `type`,
// those in lists left out; "" if there is none.
std::string FindBelow(const Descriptor& type, const std::string& name) {
  std::vector<std::pair<const Descriptor*, std::string>> queue = {{&type, ""}};
  std::vector<const Descriptor*> seen = {&type};
  for (size_t at = 0; at < queue.size(); ++at) {
    const auto [holder, prefix] = queue[at];
    if (holder->FindFieldByName(name) != nullptr) return prefix + name;
    for (int i = 0; i < holder->field_count(); ++i) {
      const FieldDescriptor& field = *holder->field(i);
      if (field.is_repeated() || field.message_type() == nullptr) continue;
      if (std::find(seen.begin(), seen.end(), field.message_type()) !=
          seen.end()) {
        continue;
      }
      seen.push_back(field.message_type());
      queue.emplace_back(field.message_type(),
                         absl::StrCat(prefix, field.name(), "."));
    }
  }
  return "";
}

absl::Status PathError(absl::string_view path, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", problem));
}

// Splits "run[2]" into "run" and 2; "run" into "run" and -1.
bool SplitIndex(absl::string_view part, std::string* name, int* index) {
  const size_t bracket = part.find('[');
  *name = std::string(part.substr(0, bracket));
  if (bracket == part.npos) return true;
  absl::string_view digits = part.substr(bracket + 1);
  return absl::ConsumeSuffix(&digits, "]") && absl::SimpleAtoi(digits, index) &&
         *index >= 0;
}

// Why a path cannot go on through, or end at, this step; "" if it can.
std::string Obstacle(const FieldStep& step, bool last) {
  const FieldDescriptor& field = *step.field;
  if (step.index >= 0 && !field.is_repeated()) {
    return "is not a list; leave out the [index]";
  }
  if (last) return "";
  if (field.message_type() == nullptr) {
    return absl::StrCat("has no fields of its own; it takes ", Expected(field));
  }
  if (field.is_map()) return "is a map; give it as a whole";
  if (field.is_repeated() && step.index < 0) {
    return absl::StrCat("is a list; name one element, as in ", field.name(),
                        "[0]");
  }
  return "";
}

}  // namespace

std::string SuggestField(const Descriptor& type, absl::string_view name) {
  const std::vector<std::string> names = FieldNames(type);
  if (!NearestName(name, names)) {
    const std::string below = FindBelow(type, std::string(name));
    if (!below.empty()) return absl::StrCat("did you mean \"", below, "\"?");
  }
  return Suggest(name, names, "fields");
}

std::string SuggestValue(const EnumDescriptor& type, absl::string_view name) {
  const std::vector<std::string> names = ValueNames(type);
  const std::optional<std::string> nearest = NearestName(name, names);
  return absl::StrCat(
      nearest ? absl::StrCat("did you mean ", *nearest, "? ") : "",
      "valid values are ", absl::StrJoin(names, ", "));
}

std::string Expected(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      return "a whole number";
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return "a whole number from 0 up";
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return "a number";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return absl::StrCat("one of ",
                          absl::StrJoin(ValueNames(*field.enum_type()), ", "));
    case FieldDescriptor::CPPTYPE_STRING:
      return "text in quotes";
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return "fields in { }";
  }
  return "a value";
}

absl::StatusOr<std::vector<FieldStep>> ResolvePath(const Descriptor& type,
                                                   absl::string_view path) {
  std::vector<FieldStep> steps;
  const Descriptor* holder = &type;
  std::string so_far;
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '.');
  for (size_t i = 0; i < parts.size(); ++i) {
    absl::StrAppend(&so_far, i == 0 ? "" : ".", parts[i]);
    std::string name;
    FieldStep step;
    if (!SplitIndex(parts[i], &name, &step.index)) {
      return PathError(so_far, "has a bad index; write it as in list[0]");
    }
    step.field = holder->FindFieldByName(name);
    if (step.field == nullptr) {
      return PathError(
          so_far, absl::StrCat("no such field; ", SuggestField(*holder, name)));
    }
    const std::string obstacle = Obstacle(step, i + 1 == parts.size());
    if (!obstacle.empty()) return PathError(so_far, obstacle);
    steps.push_back(step);
    holder = step.field->message_type();
  }
  return steps;
}

}  // namespace sim
