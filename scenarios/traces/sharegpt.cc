// ShareGPT conversations, as vLLM's benchmark reads them: a list of
//
//   {"id": "QWJhYvA_0", "conversations": [
//     {"from": "human", "value": "Summarize …", "tokens": 25},
//     {"from": "gpt", "value": "Here is …", "tokens": 180}, …]}
//
// The first two turns are a request. Conversations of fewer, and those with an
// empty one, are dropped and counted. The published files have text alone; then
// its characters (code points) are counted, if told how many make a token.
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "scenarios/traces/formats.h"
#include "scenarios/traces/trace_rows.h"

namespace scenarios {
namespace {

constexpr char kTurns[] = "conversations";

// Code points: bytes of UTF-8 that do not go on with one.
int64_t Characters(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  });
}

// Tokens of the turn at `index`; 0 if it is empty.
absl::StatusOr<int64_t> TokensOf(const JsonRows& row, size_t index,
                                 std::optional<double> characters_per_token) {
  const nlohmann::json& turn = (*row.Find(kTurns))[index];
  const auto Error = [&](absl::string_view problem) {
    return row.Error(kTurns, absl::StrCat("turn ", index, problem));
  };
  if (!turn.is_object()) return Error(" is no object; write { … }");
  if (const auto tokens = turn.find("tokens"); tokens != turn.end()) {
    const bool whole = tokens->is_number_integer();
    const int64_t count = whole ? tokens->get<int64_t>() : -1;
    if (count >= 0 && count <= kMostTokens) return count;
    return Error(absl::StrCat(" has ", tokens->dump(), " tokens; write 0 to ",
                              kMostTokens));
  }
  const auto value = turn.find("value");
  if (value == turn.end() || !value->is_string()) {
    return Error(" has no text; give its \"tokens\"");
  }
  if (!characters_per_token) {
    return Error(
        " is text without a count of tokens; give its \"tokens\", or "
        "set characters_per_token (English: 4)");
  }
  const auto characters =
      static_cast<double>(Characters(value->get_ref<const std::string&>()));
  return static_cast<int64_t>(std::ceil(characters / *characters_per_token));
}

absl::Status AddConversation(const JsonRows& row, TraceRows& rows,
                             std::optional<double> characters_per_token) {
  const nlohmann::json* turns = row.Find(kTurns);
  if (turns == nullptr || !turns->is_array()) {
    return row.Error(kTurns, "is no list of turns; write [{ … }, { … }]");
  }
  int64_t tokens[2] = {0, 0};
  for (size_t i = 0; i < 2 && turns->size() >= 2; ++i) {
    const auto count = TokensOf(row, i, characters_per_token);
    if (!count.ok()) return count.status();
    tokens[i] = *count;
  }
  if (tokens[0] == 0 || tokens[1] == 0) {
    ++rows.trace().dropped;
  } else {
    rows.Add({.at_ns = {}, .input = tokens[0], .output = tokens[1]});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RequestTrace> LoadShareGpt(const std::string& name,
                                          const std::string& text,
                                          const TraceOptions& options) {
  return LoadJson(
      name, text, options, [&](const JsonRows& row, TraceRows& rows) {
        return AddConversation(row, rows, options.characters_per_token);
      });
}

}  // namespace scenarios
