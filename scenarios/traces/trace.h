// Requests that were logged, as files of several formats hold them.
//
//   absl::StatusOr<RequestTrace> t = LoadTrace("conversation.csv", {});
//   t->input[0]  // 374, tokens of the first request's prompt
//   // conversation.csv:7:29: ContextTokens: -3 is out of range; write 1 to …
//
// A row takes 16 bytes, and 8 for each id of its prefix.
//
// To add a format: write traces/<name>.cc, declare its loader in formats.h,
// give it a row in traces.cc and a number in workload.proto.
#ifndef SCENARIOS_TRACES_TRACE_H_
#define SCENARIOS_TRACES_TRACE_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "scenarios/workload.pb.h"

namespace scenarios {

struct RequestTrace {
  // By row, in order of time.
  std::vector<int64_t> at_ns;   // since the first row; empty: no times
  std::vector<uint32_t> input;  // tokens, >= 1
  std::vector<uint32_t> output;
  // Conversation that a row belongs to, from 0; empty: none is known.
  std::vector<uint32_t> session;
  int64_t sessions = 0;
  // Ids of whole chunks of the prompt, as Request::prefix; empty: none.
  int64_t chunk = 0;
  std::vector<uint64_t> ids;
  std::vector<size_t> ids_end;  // of each row, in `ids`
  int64_t dropped = 0;          // rows that the format's comment leaves out

  size_t rows() const { return input.size(); }
  // From the first row to that of a repetition, a mean gap behind the last.
  // REQUIRES: there are times.
  int64_t period_ns() const {
    const auto gaps = static_cast<int64_t>(rows()) - 1;
    return at_ns.back() + (gaps > 0 ? at_ns.back() / gaps : 0);
  }
  std::span<const uint64_t> prefix(size_t row) const {
    if (ids_end.empty()) return {};
    const size_t begin = row == 0 ? 0 : ids_end[row - 1];
    return std::span(ids).subspan(begin, ids_end[row] - begin);
  }
};

struct TraceOptions {
  proto::Workload::Trace::Format format = proto::Workload::Trace::AUTO;
  int64_t first_row = 0;  // rows before are skipped, and not looked at
  int64_t most_rows = std::numeric_limits<int64_t>::max();
  std::optional<double> characters_per_token = {};  // see workload.proto
};

// Fails on a file that ReadText refuses, one of no known format or not of the
// one given, no rows, and the first bad row: `path:line:col: column: problem;
// what would work`.
absl::StatusOr<RequestTrace> LoadTrace(const std::string& path,
                                       const TraceOptions& options);

// The same for text at hand; `name` stands for the path in errors.
absl::StatusOr<RequestTrace> ParseTrace(const std::string& name,
                                        const std::string& text,
                                        const TraceOptions& options);

}  // namespace scenarios

#endif  // SCENARIOS_TRACES_TRACE_H_
