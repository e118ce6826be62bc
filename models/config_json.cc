#include "models/config_json.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "models/model.pb.h"
#include "nlohmann/json.hpp"

namespace models {
namespace {

// The offset of `"key"` followed by a colon, from `start`; npos if not there.
size_t FindKey(absl::string_view text, absl::string_view key, size_t start) {
  const std::string quoted = absl::StrCat("\"", key, "\"");
  for (size_t at = text.find(quoted, start); at != absl::string_view::npos;
       at = text.find(quoted, at + 1)) {
    const size_t next = text.find_first_not_of(" \t\r\n", at + quoted.size());
    if (next != absl::string_view::npos && text[next] == ':') return at;
  }
  return absl::string_view::npos;
}

// "[json.exception.parse_error.101] parse error at line 1, column 2: syntax …"
// without what stands before the words.
absl::string_view Words(absl::string_view what) {
  const size_t colon = what.find(": ");
  return colon == absl::string_view::npos ? what : what.substr(colon + 2);
}

// Products of two such numbers fit 64 bits.
constexpr int64_t kLargest = INT32_MAX;

void SetInteger(google::protobuf::Message& message, absl::string_view path,
                int64_t value) {
  google::protobuf::Message* at = &message;
  for (const absl::string_view name : absl::StrSplit(path, '.')) {
    const auto* field = at->GetDescriptor()->FindFieldByName(std::string(name));
    const auto* reflection = at->GetReflection();
    if (field->message_type() != nullptr) {
      at = reflection->MutableMessage(at, field);
    } else {
      reflection->SetInt64(at, field, value);
    }
  }
}

}  // namespace

ConfigJson::ConfigJson(absl::string_view path, absl::string_view text)
    : path_(path), text_(text), root_(nlohmann::json::object()) {
  inner_ = &root_;
  try {  // The parser says where it failed by an exception only.
    root_ = nlohmann::json::parse(text_);
  } catch (const nlohmann::json::parse_error& error) {
    const size_t read = std::max<size_t>(error.byte, 1);
    status_ = absl::InvalidArgumentError(
        absl::StrCat(PlaceAt(read - 1), ": ", Words(error.what())));
    return;
  } catch (const nlohmann::json::out_of_range& error) {  // 1e999
    status_ = absl::InvalidArgumentError(
        absl::StrCat(path_, ": ", Words(error.what())));
    return;
  }
  if (!root_.is_object()) {
    status_ = absl::InvalidArgumentError(
        absl::StrCat(path_, ":1:1: expected an object, { … }"));
    root_ = nlohmann::json::object();
    return;
  }
  const auto inner = root_.find("text_config");
  if (inner != root_.end() && inner->is_object()) {
    inner_ = &*inner;
    inner_offset_ = std::min(FindKey(text_, "text_config", 0), text_.size());
  }
}

const nlohmann::json* ConfigJson::Find(absl::string_view key) const {
  for (const nlohmann::json* object : {inner_, &root_}) {
    for (const absl::string_view name : absl::StrSplit(key, '.')) {
      if (object == nullptr || !object->is_object()) break;
      const auto it = object->find(std::string(name));
      object = it != object->end() && !it->is_null() ? &*it : nullptr;
    }
    if (object != nullptr) return object;
  }
  return nullptr;
}

bool ConfigJson::IsNull(const char* key) const {
  const auto it = inner_->find(key);
  return it != inner_->end() && it->is_null();
}

int64_t ConfigJson::Integer(const char* key, std::optional<int64_t> fallback) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) {
    if (!fallback) Fail(key, "is missing");
    return fallback.value_or(0);
  }
  if (!value->is_number_integer()) {
    Expect(key, "a whole number", *value);
    return 0;
  }
  // Larger unsigned numbers turn negative here.
  const int64_t integer = value->get<int64_t>();
  if (integer < 0 || integer > kLargest) {
    Fail(key,
         absl::StrCat(value->dump(), " is out of range; give 0..", kLargest));
    return 0;
  }
  return integer;
}

double ConfigJson::Number(const char* key, double fallback) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return fallback;
  if (value->is_number()) return value->get<double>();
  Expect(key, "a number", *value);
  return 0;
}

bool ConfigJson::Flag(const char* key, bool fallback) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return fallback;
  if (value->is_boolean()) return value->get<bool>();
  Expect(key, "true or false", *value);
  return false;
}

std::string ConfigJson::Text(const char* key, const char* fallback) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return fallback;
  if (value->is_string()) return value->get<std::string>();
  Expect(key, "text in quotes", *value);
  return "";
}

std::vector<int64_t> ConfigJson::Integers(const char* key) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return {};
  std::vector<int64_t> list;
  for (const nlohmann::json& element : *value) {
    if (!value->is_array() || !element.is_number_integer()) break;
    list.push_back(element.get<int64_t>());
  }
  if (!value->is_array() || list.size() != value->size()) {
    Expect(key, "a list of whole numbers", *value);
  }
  return list;
}

std::vector<std::string> ConfigJson::Texts(const char* key) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return {};
  std::vector<std::string> list;
  for (const nlohmann::json& element : *value) {
    if (!value->is_array() || !element.is_string()) break;
    list.push_back(element.get<std::string>());
  }
  if (!value->is_array() || list.size() != value->size()) {
    Expect(key, "a list of texts in quotes", *value);
  }
  return list;
}

void ConfigJson::Copy(const char* key, const char* field,
                      std::optional<int64_t> fallback) {
  const int64_t value = Integer(key, fallback);
  if (!status_.ok()) return;
  SetInteger(transformer_, field, value);
  key_of_field_[field] = key;
}

void ConfigJson::CopyIfThere(const char* key, const char* field) {
  if (!Lacks(key)) Copy(key, field);
}

absl::Status ConfigJson::Error(absl::string_view key,
                               absl::string_view problem) const {
  size_t offset = FindKey(text_, key, inner_offset_);
  if (offset == std::string::npos) offset = FindKey(text_, key, 0);
  const std::string place =
      offset == std::string::npos ? path_ : PlaceAt(offset);
  return absl::InvalidArgumentError(
      absl::StrCat(place, ": ", key, ": ", problem));
}

absl::Status ConfigJson::FieldError(absl::string_view field,
                                    absl::string_view problem) const {
  const auto it = key_of_field_.find(std::string(field));
  return Error(it == key_of_field_.end() ? field : it->second, problem);
}

void ConfigJson::Fail(const char* key, absl::string_view problem) {
  if (status_.ok()) status_ = Error(key, problem);
}

void ConfigJson::Expect(const char* key, const char* what,
                        const nlohmann::json& value) {
  constexpr size_t kShown = 40;  // of a long text
  std::string got = value.type_name();
  if (!value.is_structured()) {
    got = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    if (got.size() > kShown) got = absl::StrCat(got.substr(0, kShown), "…");
  }
  Fail(key, absl::StrCat("expected ", what, ", got ", got));
}

std::string ConfigJson::PlaceAt(size_t offset) const {
  const absl::string_view before =
      absl::string_view(text_).substr(0, std::min(offset, text_.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t last = before.rfind('\n');
  const size_t column = last == absl::string_view::npos
                            ? before.size()
                            : before.size() - last - 1;
  return absl::StrCat(path_, ":", line, ":", column + 1);
}

}  // namespace models
