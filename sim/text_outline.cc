#include "sim/text_outline.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace sim {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::io::Tokenizer;
using Token = Tokenizer::Token;

constexpr TextPoint kNoEnd = {std::numeric_limits<int>::max(), 0};
constexpr int kTabWidth = 8;  // as protobuf's tokenizer counts

class Silent : public google::protobuf::io::ErrorCollector {
  void AddError(int, int, const std::string&) override {}
};

// As TextFormat::Parser sees them, an end token last.
std::vector<Token> Tokens(absl::string_view text) {
  google::protobuf::io::ArrayInputStream stream(text.data(),
                                                static_cast<int>(text.size()));
  Silent silent;
  Tokenizer tokenizer(&stream, &silent);
  tokenizer.set_allow_f_after_float(true);
  tokenizer.set_comment_style(Tokenizer::SH_COMMENT_STYLE);
  tokenizer.set_require_space_after_number(false);
  std::vector<Token> tokens;
  while (tokenizer.Next()) tokens.push_back(tokenizer.current());
  tokens.push_back(tokenizer.current());
  return tokens;
}

}  // namespace

// Follows the grammar of the text format without its values' types, and stops
// where a text departs from it.
class TextOutline::Walker {
 public:
  Walker(absl::string_view text, TextOutline* outline)
      : tokens_(Tokens(text)), outline_(*outline) {}

  void Walk(const Descriptor& type) { WalkFields(&type, /*parent=*/-1, 0); }

 private:
  using Counts = absl::btree_map<std::string, int>;  // of a message's fields

  const Token& Current() const { return tokens_[next_]; }
  bool AtEnd() const { return Current().type == Tokenizer::TYPE_END; }
  bool Sees(absl::string_view text) const { return Current().text == text; }
  bool Sees(Tokenizer::TokenType type) const { return Current().type == type; }

  bool Take(absl::string_view text) {
    if (!Sees(text)) return false;
    ++next_;
    return true;
  }

  TextPoint Here() const {
    return outline_.PointAt(Current().line, Current().column);
  }

  TextRow& Row(int row) { return outline_.rows_[static_cast<size_t>(row)]; }

  void End(int row) {
    const Token& last = tokens_[next_ - 1];
    Row(row).end = outline_.PointAt(last.line, last.end_column);
  }

  // A row for `name`; `element` is what follows it in the path.
  int Append(const std::string& name, const std::string& element,
             const FieldDescriptor* field, int parent) {
    const int row = static_cast<int>(outline_.rows_.size());
    TextRow added;
    added.name = name;
    added.field = field;
    added.parent = parent;
    if (parent >= 0) added.path = absl::StrCat(Row(parent).path, ".");
    absl::StrAppend(&added.path, name, element);
    added.begin = added.value = Here();
    added.end = kNoEnd;
    outline_.rows_.push_back(std::move(added));
    return row;
  }

  // What tells this mention of a repeated field from its others.
  std::string Element(const FieldDescriptor* field, Counts* counts) const {
    if (field == nullptr || !field->is_repeated()) return "";
    const int index = (*counts)[field->name()]++;
    return field->is_map() ? absl::StrCat("[", MapKey(), "]")
                           : absl::StrCat("[", index, "]");
  }

  // The key of the map entry that opens at or just after the current token.
  std::string MapKey() const {
    int depth = 0;
    for (size_t i = next_; i + 2 < tokens_.size(); ++i) {
      const std::string& text = tokens_[i].text;
      if (text == "{" || text == "<") ++depth;
      if (text == "}" || text == ">") --depth;
      if (depth == 0 && text != ":" && i > next_) break;
      if (depth != 1 || text != "key") continue;
      const Token& key = tokens_[i + (tokens_[i + 1].text == ":" ? 2 : 1)];
      if (key.type != Tokenizer::TYPE_STRING) return key.text;
      std::string plain;
      Tokenizer::ParseString(key.text, &plain);
      return absl::StrCat("\"", absl::CEscape(plain), "\"");
    }
    return "";
  }

  // The fields up to a closing bracket or the end; false if cut short.
  bool WalkFields(const Descriptor* type, int parent, int depth) {
    if (depth > kDeepestMessage) return false;
    Counts counts;
    while (!AtEnd() && !Sees("}") && !Sees(">")) {
      if (!WalkField(type, parent, depth, &counts)) return false;
    }
    return true;
  }

  bool WalkField(const Descriptor* type, int parent, int depth,
                 Counts* counts) {
    const size_t start = next_;
    const std::string name = TakeName();
    if (name.empty()) return false;
    const FieldDescriptor* field =
        type == nullptr ? nullptr : type->FindFieldByName(name);
    const bool colon = Take(":");
    const bool list = Sees("[");
    const std::string element = list ? "" : Element(field, counts);
    const size_t value = std::exchange(next_, start);  // rows begin at the name
    const int row = Append(name, element, field, parent);
    next_ = value;
    Row(row).value = Here();
    if (list ? !WalkList(row, depth, counts) : !WalkValue(row, colon, depth)) {
      return false;
    }
    End(row);
    if (!Take(",")) Take(";");
    return true;
  }

  // `name`, `[package.extension]`, or "" if there is no name here.
  std::string TakeName() {
    if (Sees(Tokenizer::TYPE_IDENTIFIER)) return tokens_[next_++].text;
    if (!Take("[")) return "";
    std::string name = "[";
    while (!AtEnd() && !Sees("]")) name += tokens_[next_++].text;
    return Take("]") ? name + "]" : "";
  }

  bool WalkList(int list, int depth, Counts* counts) {
    const std::string name = Row(list).name;
    const FieldDescriptor* field = Row(list).field;
    const int parent = Row(list).parent;
    Take("[");
    while (!Take("]")) {
      const int row = Append(name, Element(field, counts), field, parent);
      if (!WalkValue(row, /*colon=*/true, depth)) return false;
      End(row);
      if (!Sees("]") && !Take(",")) return false;
    }
    return true;
  }

  bool WalkValue(int row, bool colon, int depth) {
    if (Take("{") || Take("<")) {
      const FieldDescriptor* field = Row(row).field;
      const Descriptor* type = field ? field->message_type() : nullptr;
      return WalkFields(type, row, depth + 1) && (Take("}") || Take(">"));
    }
    if (!colon) return false;
    std::string& token = Row(row).token;
    if (Sees(Tokenizer::TYPE_STRING)) {
      while (Sees(Tokenizer::TYPE_STRING)) {
        absl::StrAppend(&token, token.empty() ? "" : " ", Current().text);
        ++next_;
      }
      return true;
    }
    if (Take("-")) token += '-';
    if (!Sees(Tokenizer::TYPE_IDENTIFIER) && !Sees(Tokenizer::TYPE_INTEGER) &&
        !Sees(Tokenizer::TYPE_FLOAT)) {
      return false;
    }
    token += tokens_[next_++].text;
    return true;
  }

  std::vector<Token> tokens_;
  size_t next_ = 0;
  TextOutline& outline_;
};

TextOutline::TextOutline(absl::string_view text, const Descriptor& type) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    lines_.push_back({line, line.find('\t') != line.npos});
  }
  end_ = {static_cast<int>(lines_.size()),
          static_cast<int>(lines_.back().text.size()) + 1};
  Walker(text, this).Walk(type);
}

int TextOutline::Around(TextPoint point) const {
  // Rows are in the order they begin, so the last one around is the innermost.
  int row = static_cast<int>(rows_.size()) - 1;
  for (; row >= 0; --row) {
    const TextRow& field = rows_[static_cast<size_t>(row)];
    if (field.begin <= point && point < field.end) break;
  }
  return row;
}

int TextOutline::Before(TextPoint point) const {
  int row = static_cast<int>(rows_.size()) - 1;
  while (row >= 0 && rows_[static_cast<size_t>(row)].begin >= point) --row;
  return row;
}

TextPoint TextOutline::PointAt(int line, int column) const {
  const size_t row = std::min(static_cast<size_t>(line), lines_.size() - 1);
  const Line& in = lines_[row];
  size_t at = std::min(static_cast<size_t>(column), in.text.size());
  if (in.tabs) {
    at = 0;
    for (int seen = 0; seen < column && at < in.text.size(); ++at) {
      seen += in.text[at] == '\t' ? kTabWidth - seen % kTabWidth : 1;
    }
  }
  return {static_cast<int>(row) + 1, static_cast<int>(at) + 1};
}

}  // namespace sim
