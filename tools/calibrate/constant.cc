#include "tools/calibrate/constant.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/message.h"
#include "google/protobuf/text_format.h"

namespace tools {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;

absl::Status Nowhere(absl::string_view path, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", why));
}

// The field's value as text format writes it, a string's without quotes.
std::string TextOf(const Message& message, const FieldDescriptor& field) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    return message.GetReflection()->GetString(message, &field);
  }
  std::string text;
  TextFormat::PrintFieldValueToString(message, &field, -1, &text);
  return text;
}

// Whether `element` has the values of "family=fa3,backward=true".
bool Matches(const Message& element, absl::string_view wanted) {
  for (const absl::string_view each : absl::StrSplit(wanted, ',')) {
    const std::pair<std::string, std::string> pair =
        absl::StrSplit(each, absl::MaxSplits('=', 1));
    const FieldDescriptor* field =
        element.GetDescriptor()->FindFieldByName(pair.first);
    if (field == nullptr || field->is_repeated() ||
        TextOf(element, *field) != pair.second) {
      return false;
    }
  }
  return true;
}

// What one step of a path, "gemm" or "attention[family=fa3]", leads to; null if
// nothing.
Message* Step(Message& from, absl::string_view step) {
  const size_t bracket = step.find('[');
  const FieldDescriptor* field = from.GetDescriptor()->FindFieldByName(
      std::string(step.substr(0, bracket)));
  if (field == nullptr ||
      field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    return nullptr;
  }
  const google::protobuf::Reflection& reflection = *from.GetReflection();
  if (!field->is_repeated()) return reflection.MutableMessage(&from, field);
  if (bracket == absl::string_view::npos || step.back() != ']') return nullptr;
  const absl::string_view wanted =
      step.substr(bracket + 1, step.size() - bracket - 2);
  for (int i = 0; i < reflection.FieldSize(from, field); ++i) {
    Message* element = reflection.MutableRepeatedMessage(&from, field, i);
    if (Matches(*element, wanted)) return element;
  }
  return nullptr;
}

// "a[b=1.5].c" at its last dot outside brackets: {"a[b=1.5]", "c"}.
std::pair<absl::string_view, absl::string_view> SplitLast(
    absl::string_view path) {
  size_t dot = absl::string_view::npos;
  bool inside = false;
  for (size_t i = 0; i < path.size(); ++i) {
    inside = path[i] == '[' || (inside && path[i] != ']');
    if (path[i] == '.' && !inside) dot = i;
  }
  if (dot == absl::string_view::npos) return {"", path};
  return {path.substr(0, dot), path.substr(dot + 1)};
}

absl::StatusOr<std::pair<Message*, const FieldDescriptor*>> Find(
    absl::string_view path, Message& message) {
  const auto [holder, name] = SplitLast(path);
  const absl::StatusOr<Message*> at = FindMessage(holder, message);
  if (!at.ok()) return at.status();
  const FieldDescriptor* field =
      (*at)->GetDescriptor()->FindFieldByName(std::string(name));
  if (field == nullptr || field->is_repeated() ||
      field->cpp_type() != FieldDescriptor::CPPTYPE_DOUBLE) {
    return Nowhere(path, absl::StrCat("there is no number ", name, " in ",
                                      (*at)->GetTypeName()));
  }
  return std::pair(*at, field);
}

}  // namespace

absl::StatusOr<Message*> FindMessage(absl::string_view path, Message& message) {
  if (path.empty()) return &message;
  const auto [holder, step] = SplitLast(path);
  const absl::StatusOr<Message*> from = FindMessage(holder, message);
  if (!from.ok()) return from;
  Message* to = Step(**from, step);
  if (to == nullptr) {
    return Nowhere(path, absl::StrCat("there is no ", step, " in ",
                                      (*from)->GetTypeName()));
  }
  return to;
}

absl::StatusOr<double> ReadConstant(absl::string_view path,
                                    const Message& message) {
  // Find() makes absent messages on its way: not in the caller's.
  const auto copy = std::unique_ptr<Message>(message.New());
  copy->CopyFrom(message);
  const auto found = Find(path, *copy);
  if (!found.ok()) return found.status();
  return found->first->GetReflection()->GetDouble(*found->first, found->second);
}

absl::Status SetConstant(absl::string_view path, double value,
                         Message& message) {
  const auto found = Find(path, message);
  if (!found.ok()) return found.status();
  found->first->GetReflection()->SetDouble(found->first, found->second, value);
  return absl::OkStatus();
}

}  // namespace tools
