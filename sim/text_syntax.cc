#include "sim/text_syntax.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "sim/read_text.h"
#include "sim/text_outline.h"
#include "sim/text_schema.h"

namespace sim {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// Keeps the first error; those after it follow from it.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (!message_.empty()) return;
    line_ = line;
    column_ = column;
    message_ = message;
    std::erase(message_, '\0');  // what TextFormat may print for the end
  }

  int line() const { return line_; }
  int column() const { return column_; }
  const std::string& message() const { return message_; }

 private:
  int line_ = 0;
  int column_ = 0;
  std::string message_;
};

TextProblem NoValue(const TextRow& row) {
  return {row.value, row.path,
          absl::StrCat("no value ", row.token, "; ",
                       SuggestValue(*row.field->enum_type(), row.token))};
}

TextProblem Again(const TextRow& row, const TextRow& first) {
  return {row.begin, row.path,
          absl::StrCat("already given at line ", first.begin.line,
                       "; keep one of them")};
}

std::string NotExpected(const FieldDescriptor& field, absl::string_view got) {
  return absl::StrCat("expected ", Expected(field), ", got ", got);
}

std::string OutOfRange(const TextRow& row) {
  const bool below = absl::StartsWith(row.token, "-");
  const auto limit = [&]<class T>(T) {
    using Limits = std::numeric_limits<T>;
    return below ? absl::StrCat("; the smallest is ", Limits::min())
                 : absl::StrCat("; the largest is ", Limits::max());
  };
  const std::string problem = absl::StrCat(row.token, " is out of range");
  switch (row.field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return problem + limit(int32_t{});
    case FieldDescriptor::CPPTYPE_INT64:
      return problem + limit(int64_t{});
    case FieldDescriptor::CPPTYPE_UINT32:
      return problem + limit(uint32_t{});
    case FieldDescriptor::CPPTYPE_UINT64:
      return problem + limit(uint64_t{});
    default:
      return NotExpected(*row.field, row.token);  // a bool
  }
}

// `said` is `integer, got: three` or `":", found "=".`; `scalar` is the field
// whose value was wanted there, or null.
std::string Unexpected(absl::string_view said, const FieldDescriptor* scalar) {
  std::vector<std::string> parts = absl::StrSplit(said, ", got: ");
  if (parts.size() == 1) {
    parts = absl::StrSplit(absl::StripSuffix(said, "."), ", found ");
  }
  std::string expected = parts.front();
  std::string got = parts.back();
  if (got.empty() || got == "\"\"") got = "the end of the text";
  const bool symbol = absl::StartsWith(expected, "\"");
  if (scalar != nullptr && !symbol) return NotExpected(*scalar, got);
  if (expected == "identifier") expected = "the name of a field";
  if (expected == "\",\"") expected = "\",\" or \"]\"";
  return absl::StrCat("expected ", expected, ", got ", got);
}

// Says what TextFormat said, in our words and at the right place.
class Reword {
 public:
  Reword(absl::string_view text, const TextOutline& outline,
         const Descriptor& type)
      : text_(text), outline_(outline), type_(type) {}

  TextProblem operator()(const FirstError& error) const {
    const absl::string_view said = error.message();
    const TextPoint at = outline_.PointAt(error.line(), error.column());
    // Found out after the name or the value was read.
    const TextRow* row = RowAt(outline_.Before(at));
    if (row != nullptr) {
      if (auto problem = Behind(said, *row)) return *problem;
    }
    // Found out at the last letter of a line, or before anything was read.
    const bool open = absl::StartsWith(said, "String literals cannot cross") ||
                      absl::StartsWith(said, "Unexpected end of string");
    row = RowAt(outline_.Around({at.line, at.column - (open ? 1 : 0)}));
    const std::string path = row == nullptr ? "" : row->path;
    if (open)
      return {at, path, "the quote is not closed on its line; close it"};
    return {at, path, Misread(said, at, row)};
  }

 private:
  const TextRow* RowAt(int row) const {
    return row < 0 ? nullptr : &outline_.rows()[static_cast<size_t>(row)];
  }

  // What is wrong with `row`, whose name or value was read before the error.
  std::optional<TextProblem> Behind(absl::string_view said,
                                    const TextRow& row) const {
    if (row.field == nullptr) {
      if (!absl::StartsWith(said, "Message type ")) return std::nullopt;
      const Descriptor* type = HolderType(row);
      if (type == nullptr) return std::nullopt;
      return TextProblem{
          row.begin, row.path,
          absl::StrCat("no such field; ", SuggestField(*type, row.name))};
    }
    if (absl::StartsWith(said, "Unknown enumeration ") &&
        row.field->enum_type() != nullptr) {
      return NoValue(row);
    }
    if (absl::StartsWith(said, "Invalid value for bool")) {
      return TextProblem{row.value, row.path,
                         NotExpected(*row.field, row.token)};
    }
    if (absl::StrContains(said, " is specified ")) return Clash(row);
    return std::nullopt;
  }

  // The type of the message that a row stands in; null if it is unknown.
  const Descriptor* HolderType(const TextRow& row) const {
    const TextRow* holder = RowAt(row.parent);
    if (holder == nullptr) return &type_;
    return holder->field == nullptr ? nullptr : holder->field->message_type();
  }

  // A field given twice, or two of a oneof.
  std::optional<TextProblem> Clash(const TextRow& row) const {
    const auto* oneof = row.field->containing_oneof();
    for (const TextRow& other : outline_.rows()) {
      if (&other == &row) break;
      if (other.parent != row.parent || other.field == nullptr) continue;
      if (other.field == row.field) return Again(row, other);
      if (oneof == nullptr) continue;
      if (other.field->containing_oneof() != oneof) continue;
      return TextProblem{
          row.begin, row.path,
          absl::StrCat("cannot stand beside ", other.name, ", given at line ",
                       other.begin.line, "; keep one of them")};
    }
    return std::nullopt;
  }

  // `row` is the innermost field around `at`; null for the outermost message.
  std::string Misread(absl::string_view said, TextPoint at,
                      const TextRow* row) const {
    const FieldDescriptor* field = row == nullptr ? nullptr : row->field;
    const bool scalar = field != nullptr && field->message_type() == nullptr;
    if (absl::StartsWith(said, "Expected identifier") && !scalar &&
        row != nullptr && at == outline_.end()) {
      return absl::StrCat("the text ends inside this message, opened at line ",
                          row->value.line, "; close it with }");
    }
    if (absl::StartsWith(said, "Integer out of range") && scalar) {
      return OutOfRange(*row);
    }
    if (absl::StartsWith(said, "Interpreting non ascii")) {
      return LetterAt(at) + " stands outside quotes, where only ASCII will do";
    }
    if (absl::StartsWith(said, "Message is too deep")) {
      return absl::StrCat("messages nest more than ", kDeepestMessage, " deep");
    }
    if (absl::ConsumePrefix(&said, "Expected ")) {
      return Unexpected(said, scalar && at == row->value ? field : nullptr);
    }
    said = absl::StripSuffix(said, ".");
    return absl::StrCat(absl::AsciiStrToLower(said.substr(0, 1)),
                        said.substr(std::min<size_t>(1, said.size())));
  }

  // The UTF-8 letter at a point.
  std::string LetterAt(TextPoint at) const {
    const std::vector<absl::string_view> lines = absl::StrSplit(text_, '\n');
    absl::string_view rest = lines[static_cast<size_t>(at.line) - 1];
    rest.remove_prefix(static_cast<size_t>(at.column) - 1);
    size_t size = 1;
    while (size < rest.size() && (rest[size] & 0xC0) == 0x80) ++size;
    return std::string(rest.substr(0, size));
  }

  absl::string_view text_;
  const TextOutline& outline_;
  const Descriptor& type_;
};

bool IsWord(absl::string_view token) {
  return !token.empty() && absl::ascii_isalpha(static_cast<uint8_t>(token[0]));
}

bool IsFinite(const TextRow& row) {
  absl::string_view token = row.token;
  absl::ConsumePrefix(&token, "-");
  if (IsWord(token)) return false;  // inf, nan
  double number = 0;
  if (!absl::SimpleAtod(absl::StripSuffix(token, "f"), &number)) return true;
  const bool single = row.field->cpp_type() == FieldDescriptor::CPPTYPE_FLOAT;
  return number <= (single ? std::numeric_limits<float>::max()
                           : std::numeric_limits<double>::max());
}

// What is wrong with a value that TextFormat let pass; "" if nothing is.
std::string Flaw(const TextRow& row) {
  std::string plain;
  switch (row.field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return IsFinite(row) ? "" : "is not finite; write a number, as 1.5e12";
    case FieldDescriptor::CPPTYPE_STRING:
      if (!absl::CUnescape(row.token, &plain)) return "";
      if (plain.find('\0') == plain.npos && Utf8Prefix(plain) == plain.size()) {
        return "";
      }
      return "is not UTF-8 text; escape whole letters, as \\u00e9";
    default:
      return "";
  }
}

std::optional<TextProblem> CheckValue(const TextRow& row) {
  if (row.token.empty()) return std::nullopt;  // a message or a list
  if (row.field->enum_type() != nullptr && !IsWord(row.token)) {
    return NoValue(row);  // a number
  }
  const std::string flaw = Flaw(row);
  if (flaw.empty()) return std::nullopt;
  return TextProblem{row.value, row.path, absl::StrCat(row.token, " ", flaw)};
}

std::optional<TextProblem> CheckRows(const TextOutline& outline) {
  if (outline.rows().empty()) {
    return TextProblem{
        {}, "", "no field is given; the file is empty or all comments"};
  }
  absl::btree_map<absl::string_view, const TextRow*> entries;  // of maps
  for (const TextRow& row : outline.rows()) {
    if (row.field == nullptr) {
      return TextProblem{row.begin, row.path,
                         "no longer a field; leave it out"};
    }
    if (auto problem = CheckValue(row)) return problem;
    if (!row.field->is_map() || !absl::EndsWith(row.path, "]")) continue;
    const auto [first, added] = entries.emplace(row.path, &row);
    if (!added) return Again(row, *first->second);
  }
  return std::nullopt;
}

}  // namespace

std::optional<TextProblem> ReadFields(absl::string_view text,
                                      const TextOutline& outline,
                                      google::protobuf::Message* message) {
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.SetRecursionLimit(kDeepestMessage);
  parser.AllowPartialMessage(true);
  google::protobuf::io::ArrayInputStream stream(text.data(),
                                                static_cast<int>(text.size()));
  if (parser.Parse(&stream, message)) return CheckRows(outline);
  return Reword(text, outline, *message->GetDescriptor())(error);
}

}  // namespace sim
