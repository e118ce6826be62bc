#include "scenarios/field_checks.h"

#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "scenarios/field.pb.h"

namespace scenarios {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::FieldOptions;
using google::protobuf::Message;

// The value as a number, of the element at `index` where the field is repeated.
std::optional<double> NumberOf(const Message& message,
                               const FieldDescriptor& field, int index) {
  const google::protobuf::Reflection& r = *message.GetReflection();
  const bool list = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return list ? r.GetRepeatedInt32(message, &field, index)
                  : r.GetInt32(message, &field);
    case FieldDescriptor::CPPTYPE_INT64:
      return static_cast<double>(
          list ? r.GetRepeatedInt64(message, &field, index)
               : r.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return list ? r.GetRepeatedDouble(message, &field, index)
                  : r.GetDouble(message, &field);
    default:
      return std::nullopt;
  }
}

// Whole numbers in full: 1000000, not 1e+06.
std::string Number(double value) {
  return value == std::floor(value) && std::abs(value) < 1e15
             ? absl::StrFormat("%.0f", value)
             : absl::StrCat(value);
}

// What is wrong with the value, and what would work; empty if nothing is.
std::string RangeProblem(const FieldOptions& options, double value) {
  const bool open = options.HasExtension(proto::above);
  const bool bounded = options.HasExtension(proto::at_most);
  const double low = open ? options.GetExtension(proto::above)
                          : options.GetExtension(proto::at_least);
  const double high = options.GetExtension(proto::at_most);
  const std::string works =
      open ? absl::StrCat("; more than ", Number(low),
                          bounded ? ", at most " + Number(high) + "," : "",
                          " works")
      : bounded
          ? absl::StrCat("; ", Number(low), " to ", Number(high), " works")
          : absl::StrCat("; ", Number(low), " or more works");
  if (open && !(value > low)) {
    return absl::StrCat(Number(value), " is not above ", Number(low), works);
  }
  if (options.HasExtension(proto::at_least) && value < low) {
    return absl::StrCat(Number(value), " is below ", Number(low), works);
  }
  if (bounded && value > high) {
    return absl::StrCat(Number(value), " is above ", Number(high), works);
  }
  return "";
}

absl::Status CheckField(const Message& message, const FieldDescriptor& field,
                        const std::string& path, ErrorAt error) {
  const google::protobuf::Reflection& r = *message.GetReflection();
  const int count = field.is_repeated() ? r.FieldSize(message, &field) : 1;
  for (int i = 0; i < count; ++i) {
    const std::string element =
        field.is_repeated() ? absl::StrCat(path, "[", i, "]") : path;
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      const Message& inner = field.is_repeated()
                                 ? r.GetRepeatedMessage(message, &field, i)
                                 : r.GetMessage(message, &field);
      const absl::Status status = CheckRanges(inner, element + ".", error);
      if (!status.ok()) return status;
    } else if (const auto value = NumberOf(message, field, i)) {
      const std::string problem = RangeProblem(field.options(), *value);
      if (!problem.empty()) return error(element, problem);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckRanges(const Message& message, const std::string& prefix,
                         ErrorAt error) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const absl::Status status =
        CheckField(message, *field, prefix + field->name(), error);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

std::string UnitOf(const FieldDescriptor& field) {
  return field.options().GetExtension(proto::unit);
}

bool HoldsAlways(const FieldDescriptor& field) {
  return field.options().GetExtension(proto::always);
}

}  // namespace scenarios
