#include "scenarios/layered_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "google/protobuf/text_format.h"
#include "scenarios/field_checks.h"
#include "sim/data_path.h"

namespace scenarios {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;

bool Has(const Message& message, const FieldDescriptor& field) {
  const google::protobuf::Reflection& r = *message.GetReflection();
  return field.is_repeated() ? r.FieldSize(message, &field) > 0
                             : r.HasField(message, &field);
}

const TextLayer* FirstWith(const std::vector<TextLayer>& layers,
                           const FieldDescriptor& field) {
  const auto found = std::find_if(
      layers.begin(), layers.end(),
      [&](const TextLayer& layer) { return Has(*layer.message, field); });
  return found == layers.end() ? nullptr : &*found;
}

std::string ValueOf(const Message& message, const FieldDescriptor& field,
                    int index) {
  std::string value;
  TextFormat::PrintFieldValueToString(message, &field, index, &value);
  return value;
}

// The value in text format; of a list, "[4, 6]".
std::string ValueOf(const Message& message, const FieldDescriptor& field) {
  if (!field.is_repeated()) return ValueOf(message, field, -1);
  std::vector<std::string> values;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field);
       ++i) {
    values.push_back(ValueOf(message, field, i));
  }
  return absl::StrCat("[", absl::StrJoin(values, ", "), "]");
}

std::string PathIn(const TextLayer& layer, const FieldDescriptor& field) {
  return layer.path.empty() ? field.name()
                            : absl::StrCat(layer.path, ".", field.name());
}

std::string OriginIn(const TextLayer& layer, const FieldDescriptor& field) {
  if (layer.file == nullptr) return layer.origin;
  return ShortOrigin(layer.file->At(PathIn(layer, field)).Origin());
}

// The layers' sub-messages that are set.
std::vector<TextLayer> Inside(const std::vector<TextLayer>& layers,
                              const FieldDescriptor& field) {
  std::vector<TextLayer> inner;
  for (const TextLayer& layer : layers) {
    if (!Has(*layer.message, field)) continue;
    inner.push_back(
        {&layer.message->GetReflection()->GetMessage(*layer.message, &field),
         layer.file, PathIn(layer, field), layer.origin});
  }
  return inner;
}

std::string WithUnit(const FieldDescriptor& field, const std::string& origin) {
  const std::string unit = UnitOf(field);
  return unit.empty() ? origin : absl::StrCat(unit, "; ", origin);
}

const Message& Defaults(const FieldDescriptor& field) {
  return *google::protobuf::MessageFactory::generated_factory()->GetPrototype(
      field.containing_type());
}

}  // namespace

std::string ShortOrigin(absl::string_view origin) {
  const std::string house = sim::DataPath("").string();
  return std::string(absl::StripPrefix(origin, house));
}

void LayeredText::PrintLine(const std::string& text,
                            const std::string& origin) {
  const std::string line = std::string(2 * indent_, ' ') + text;
  const size_t gap = line.size() + 2 < column_ ? column_ - line.size() : 2;
  absl::StrAppend(&text_, line);
  if (!origin.empty()) {
    absl::StrAppend(&text_, std::string(gap, ' '), "# ", origin);
  }
  text_ += '\n';
}

void LayeredText::Print(const google::protobuf::Descriptor& type,
                        const std::string& name,
                        const std::vector<TextLayer>& layers,
                        const DerivedValues& derived) {
  PrintLine(name + " {", "");
  ++indent_;
  PrintMessage(type, name, layers, derived);
  --indent_;
  PrintLine("}", "");
}

void LayeredText::PrintMessage(const google::protobuf::Descriptor& type,
                               const std::string& path,
                               const std::vector<TextLayer>& layers,
                               const DerivedValues& derived) {
  for (int i = 0; i < type.field_count(); ++i) {
    PrintField(*type.field(i), absl::StrCat(path, ".", type.field(i)->name()),
               layers, derived);
  }
}

// A list is that of the first layer that gives one.
void LayeredText::PrintList(const FieldDescriptor& field,
                            const std::string& path,
                            const std::vector<TextLayer>& layers,
                            const DerivedValues& derived) {
  const TextLayer* layer = FirstWith(layers, field);
  if (layer == nullptr) return;
  const auto* reflection = layer->message->GetReflection();
  for (int i = 0; i < reflection->FieldSize(*layer->message, &field); ++i) {
    const std::string index = absl::StrCat("[", i, "]");
    PrintLine(field.name() + " {", "");
    ++indent_;
    PrintMessage(
        *field.message_type(), path + index,
        {{&reflection->GetRepeatedMessage(*layer->message, &field, i),
          layer->file, PathIn(*layer, field) + index, layer->origin}},
        derived);
    --indent_;
    PrintLine("}", "");
  }
}

void LayeredText::PrintField(const FieldDescriptor& field,
                             const std::string& path,
                             const std::vector<TextLayer>& layers,
                             const DerivedValues& derived) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
      field.is_repeated()) {
    return PrintList(field, path, layers, derived);
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    const std::vector<TextLayer> inner = Inside(layers, field);
    const auto next = derived.lower_bound(path + ".");
    const bool derives =
        next != derived.end() &&
        next->first.compare(0, path.size() + 1, path + ".") == 0;
    if (inner.empty() && !derives && !HoldsAlways(field)) return;
    PrintLine(field.name() + " {", "");
    ++indent_;
    PrintMessage(*field.message_type(), path, inner, derived);
    --indent_;
    PrintLine("}", "");
    return;
  }
  const auto print = [&](const std::string& value, const std::string& origin) {
    PrintLine(absl::StrCat(field.name(), ": ", value), WithUnit(field, origin));
  };
  if (const TextLayer* layer = FirstWith(layers, field)) {
    print(ValueOf(*layer->message, field), OriginIn(*layer, field));
  } else if (const auto value = derived.find(path); value != derived.end()) {
    print(value->second.value, value->second.how);
  } else if (field.has_default_value()) {
    print(ValueOf(Defaults(field), field), "default");
  }
}

}  // namespace scenarios
