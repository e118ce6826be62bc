// Requests as LLMServingSim's benchmark logs them of vLLM:
//
//   {"request_id": "bench-0", "input_toks": 2358, "output_toks": 531,
//    "arrival_time": 1777142838.338653, …}
//
// on a line of its own. Times are seconds, and may be missing; what was
// measured of the requests counts for nothing.
#include <string>

#include "scenarios/traces/formats.h"
#include "scenarios/traces/trace_rows.h"

namespace scenarios {

absl::StatusOr<RequestTrace> LoadVllmRequests(const std::string& name,
                                              const std::string& text,
                                              const TraceOptions& options) {
  constexpr JsonFormat kFormat{.input = "input_toks",
                               .output = "output_toks",
                               .time = "arrival_time",
                               .needs_time = false};
  return LoadJson(name, text, options,
                  [&](const JsonRows& row, TraceRows& rows) {
                    return AddJson(row, kFormat, rows);
                  });
}

}  // namespace scenarios
