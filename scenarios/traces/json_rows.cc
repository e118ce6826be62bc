#include "scenarios/traces/json_rows.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace scenarios {
namespace {

constexpr absl::string_view kSpace = " \t\r\n";

size_t SkipSpace(absl::string_view text, size_t at) {
  return std::min(text.find_first_not_of(kSpace, at), text.size());
}

// Past the string that begins at `at`, with its quote; the size of `text` if it
// does not end.
size_t EndOfString(absl::string_view text, size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at + 1;
    }
  }
  return text.size();
}

}  // namespace

JsonRows::JsonRows(absl::string_view name, absl::string_view text)
    : name_(name), text_(text) {
  const size_t first = SkipSpace(text_, 0);
  list_ = first < text_.size() && text_[first] == '[';
  if (list_) end_ = first + 1;
}

absl::StatusOr<bool> JsonRows::Skip() {
  const bool first = begin_ == 0 && end_ <= 1;
  begin_ = SkipSpace(text_, end_);
  if (list_) {
    if (begin_ < text_.size() && text_[begin_] == ']') return false;
    if (begin_ < text_.size() && text_[begin_] == ',' && !first) {
      begin_ = SkipSpace(text_, begin_ + 1);
    }
    if (begin_ == text_.size()) {
      return ErrorAt(begin_, "the list does not end; write ] behind it");
    }
  }
  if (begin_ == text_.size()) return false;
  if (text_[begin_] != '{') {
    return ErrorAt(begin_, list_ ? "this is no object; write a list of { … }"
                                 : "this is no object; write one { … } a line");
  }
  const absl::StatusOr<size_t> end = EndOfObject();
  if (!end.ok()) return end.status();
  end_ = *end;
  return true;
}

absl::StatusOr<size_t> JsonRows::EndOfObject() const {
  int depth = 0;
  for (size_t at = begin_; at < text_.size();) {
    const char c = text_[at];
    if (c == '\n' && !list_) break;
    if (c == '"') {
      at = EndOfString(text_, at);
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    ++at;
    if (depth == 0) return at;
  }
  return ErrorAt(begin_, list_ ? "the object does not end; close its braces"
                               : "the object does not end on its line; write "
                                 "one { … } a line");
}

absl::Status JsonRows::Parse() {
  const absl::string_view text = text_.substr(begin_, end_ - begin_);
  try {  // The parser says where it failed by an exception only.
    row_ = nlohmann::json::parse(text.begin(), text.end());
  } catch (const nlohmann::json::parse_error& error) {
    const size_t read = std::clamp<size_t>(error.byte, 1, text.size());
    return ErrorAt(begin_ + read - 1,
                   "this is not JSON; write {\"key\": value, … }");
  } catch (const nlohmann::json::out_of_range&) {  // 1e999
    return ErrorAt(begin_,
                   "a number is too large for 64 bits; write one below "
                   "1e308");
  }
  return absl::OkStatus();
}

const nlohmann::json* JsonRows::Find(const char* key) const {
  const auto found = row_.find(key);
  return found == row_.end() ? nullptr : &*found;
}

absl::StatusOr<int64_t> JsonRows::Count(const char* key, int64_t most) const {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return Missing(key);
  const double number = value->is_number() ? value->get<double>() : 0.5;
  if (number != std::trunc(number)) {
    return Error(key, absl::StrCat(value->dump(),
                                   " is not a whole number; "
                                   "write one, as 12"));
  }
  if (!(number >= 1 && number <= static_cast<double>(most))) {
    return Error(key, absl::StrCat(value->dump(),
                                   " is out of range; write 1 to ", most));
  }
  return static_cast<int64_t>(number);
}

absl::StatusOr<double> JsonRows::Number(const char* key) const {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return Missing(key);
  if (value->is_number()) return value->get<double>();
  return Error(
      key, absl::StrCat(value->dump(), " is not a number; write one, as 12.5"));
}

absl::Status JsonRows::Missing(const char* key) const {
  return Error(key, "is missing; every row needs it");
}

// At depth 1, a string with a colon behind it is a key.
size_t JsonRows::ValueOf(absl::string_view key) const {
  int depth = 0;
  const std::string quoted = absl::StrCat("\"", key, "\"");
  for (size_t at = begin_; at < end_;) {
    const char c = text_[at];
    if (c != '"') {
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      ++at;
      continue;
    }
    const size_t end = EndOfString(text_, at);
    const size_t colon = SkipSpace(text_, end);
    if (depth == 1 && text_.substr(at, end - at) == quoted &&
        text_[colon] == ':') {
      return SkipSpace(text_, colon + 1);
    }
    at = end;
  }
  return begin_;
}

absl::Status JsonRows::Error(absl::string_view key,
                             absl::string_view problem) const {
  return ErrorAt(ValueOf(key), absl::StrCat(key, ": ", problem));
}

absl::Status JsonRows::ErrorAt(size_t at, absl::string_view problem) const {
  const absl::string_view before = text_.substr(0, at);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t start = before.rfind('\n');
  const size_t column = start == absl::string_view::npos ? at + 1 : at - start;
  return absl::InvalidArgumentError(
      absl::StrCat(name_, ":", line, ":", column, ": ", problem));
}

}  // namespace scenarios
