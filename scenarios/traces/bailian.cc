// Traces of Alibaba's Bailian (Wang et al., ATC 2025;
// alibaba-edu/qwen-bailian-usagetraces-anon):
//
//   {"chat_id": 159, "parent_chat_id": 55, "timestamp": 61.114,
//    "input_length": 521, "output_length": 132, "type": "text", "turn": 2,
//    "hash_ids": [1089, 1090, …]}
//
// on a line of its own. Times are seconds. An id stands for 16 tokens of the
// prompt and all before them. A request goes on with the conversation of its
// parent; without one, the parent is -1.
#include <string>

#include "scenarios/traces/formats.h"
#include "scenarios/traces/trace_rows.h"

namespace scenarios {
namespace {

std::string NameOf(const nlohmann::json* chat) {
  return chat == nullptr ? "" : chat->dump();
}

}  // namespace

absl::StatusOr<RequestTrace> LoadBailian(const std::string& name,
                                         const std::string& text,
                                         const TraceOptions& options) {
  constexpr JsonFormat kFormat{.input = "input_length",
                               .output = "output_length",
                               .time = "timestamp",
                               .chunk = 16};
  return LoadJson(name, text, options,
                  [&](const JsonRows& row, TraceRows& rows) {
                    const absl::Status added = AddJson(row, kFormat, rows);
                    if (added.ok()) {
                      rows.AddSession(NameOf(row.Find("chat_id")),
                                      NameOf(row.Find("parent_chat_id")));
                    }
                    return added;
                  });
}

}  // namespace scenarios
