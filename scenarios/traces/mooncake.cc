// Mooncake's traces (Qin et al., FAST 2025; kvcache-ai/Mooncake,
// FAST25-release/traces):
//
//   {"timestamp": 0, "input_length": 6758, "output_length": 500,
//    "hash_ids": [0, 1, 2, …]}
//
// on a line of its own. Times are milliseconds, many of them equal. An id
// stands for 512 tokens of the prompt and all before them; of the last, there
// may be fewer.
#include <string>

#include "scenarios/traces/formats.h"
#include "scenarios/traces/trace_rows.h"

namespace scenarios {

absl::StatusOr<RequestTrace> LoadMooncake(const std::string& name,
                                          const std::string& text,
                                          const TraceOptions& options) {
  constexpr JsonFormat kFormat{.input = "input_length",
                               .output = "output_length",
                               .time = "timestamp",
                               .seconds_per_unit = 1e-3,
                               .chunk = 512};
  return LoadJson(name, text, options,
                  [&](const JsonRows& row, TraceRows& rows) {
                    return AddJson(row, kFormat, rows);
                  });
}

}  // namespace scenarios
