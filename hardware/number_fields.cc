#include "hardware/number_fields.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"

namespace hardware {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

double NumberOf(const Message& message, const FieldDescriptor* field) {
  const google::protobuf::Reflection* reflection = message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection->GetInt32(message, field);
    case FieldDescriptor::CPPTYPE_INT64:
      return static_cast<double>(reflection->GetInt64(message, field));
    default:
      return reflection->GetDouble(message, field);
  }
}

std::string Wanted(const NumberRange& range) {
  const std::string least = absl::StrCat(
      range.above_least ? "a number above " : "a number from ", range.least);
  return std::isinf(range.most)
             ? absl::StrCat(least, range.above_least ? "" : " up")
             : absl::StrCat(least, " to ", range.most);
}

absl::Status Check(const Message& message, const sim::TextField& place,
                   std::span<const NumberRange> ranges, bool optional) {
  for (const NumberRange& range : ranges) {
    const std::string name(range.field);
    const FieldDescriptor* field =
        message.GetDescriptor()->FindFieldByName(name);
    if (!message.GetReflection()->HasField(message, field)) {
      if (optional) continue;
      return place.At(name).Error(
          absl::StrCat("is missing; write ", Wanted(range)));
    }
    const double number = NumberOf(message, field);
    const bool low =
        range.above_least ? number <= range.least : number < range.least;
    if (low || number > range.most) {
      return place.At(name).Error(
          absl::StrCat(number, " is out of range; write ", Wanted(range)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckNumbers(const Message& message, const sim::TextField& place,
                          std::span<const NumberRange> ranges) {
  return Check(message, place, ranges, false);
}

absl::Status CheckGivenNumbers(const Message& message,
                               const sim::TextField& place,
                               std::span<const NumberRange> ranges) {
  return Check(message, place, ranges, true);
}

}  // namespace hardware
