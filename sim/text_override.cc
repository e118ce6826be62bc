#include "sim/text_override.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "sim/text_schema.h"

namespace sim {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Text may stand without quotes, but not inside a list.
std::string Quoted(const FieldDescriptor& field, absl::string_view value) {
  const bool quoted =
      absl::StartsWith(value, "\"") || absl::StartsWith(value, "'");
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_STRING || quoted) {
    return std::string(value);
  }
  return absl::StrCat("\"", absl::Utf8SafeCEscape(value), "\"");
}

// A list is always written in brackets, so that nothing can follow a value.
std::string FieldText(const FieldDescriptor& field, absl::string_view value) {
  if (!field.is_repeated()) {
    return absl::StrCat(field.name(), ": ", Quoted(field, value));
  }
  if (absl::StartsWith(value, "[")) {
    return absl::StrCat(field.name(), ": ", value);
  }
  return absl::StrCat(field.name(), ": [", Quoted(field, value), "]");
}

// The elements that the indices on the way name must be there.
absl::Status CheckIndices(const std::vector<FieldStep>& steps,
                          const Message& message) {
  const Message* holder = &message;
  std::string path;
  for (size_t i = 0; i + 1 < steps.size(); ++i) {
    const FieldStep& step = steps[i];
    const Reflection& reflection = *holder->GetReflection();
    absl::StrAppend(&path, path.empty() ? "" : ".", step.field->name());
    if (!step.field->is_repeated()) {
      holder = &reflection.GetMessage(*holder, step.field);
      continue;
    }
    const int size = reflection.FieldSize(*holder, step.field);
    if (step.index >= size) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, "[", step.index, "]: ",
          size == 0 ? absl::StrCat("the list is empty; set ", path, "={ … }")
                    : absl::StrCat("the last element is ", path, "[", size - 1,
                                   "]")));
    }
    absl::StrAppend(&path, "[", step.index, "]");
    holder = &reflection.GetRepeatedMessage(*holder, step.field, step.index);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TextOverride> ParseOverride(absl::string_view assignment,
                                           const Message& message) {
  const size_t equals = assignment.find('=');
  const absl::string_view path =
      absl::StripAsciiWhitespace(assignment.substr(0, equals));
  if (equals == assignment.npos || path.empty()) {
    return absl::InvalidArgumentError(
        "not an assignment; write it as training.micro_batch=2");
  }
  const absl::string_view value =
      absl::StripAsciiWhitespace(assignment.substr(equals + 1));

  absl::StatusOr<std::vector<FieldStep>> steps =
      ResolvePath(*message.GetDescriptor(), path);
  if (!steps.ok()) return steps.status();
  const absl::Status indices = CheckIndices(*steps, message);
  if (!indices.ok()) return indices;

  const FieldDescriptor& field = *steps->back().field;
  if (steps->back().index >= 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": one element cannot be replaced; set the whole list, as in ",
        field.name(), "=[ … ]"));
  }
  if (value.empty() && field.cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": has no value; it takes ", Expected(field)));
  }
  return TextOverride{
      .path = std::string(path),
      .prefix = std::string(path.substr(0, path.rfind('.') + 1)),
      .steps = *std::move(steps),
      .text = FieldText(field, value)};
}

Message* MutableHolder(const TextOverride& set, Message* message) {
  for (size_t i = 0; i + 1 < set.steps.size(); ++i) {
    const FieldStep& step = set.steps[i];
    const Reflection& reflection = *message->GetReflection();
    message =
        step.field->is_repeated()
            ? reflection.MutableRepeatedMessage(message, step.field, step.index)
            : reflection.MutableMessage(message, step.field);
  }
  return message;
}

}  // namespace sim
