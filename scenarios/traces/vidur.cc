// Traces as Vidur reads them (microsoft/vidur, data/processed_traces):
//
//   arrived_at,num_prefill_tokens,num_decode_tokens
//   0.0,374,44
//   4.314579,396,109
//
// Those of lengths alone lack arrived_at; other columns count for nothing.
#include <string>

#include "scenarios/traces/formats.h"
#include "scenarios/traces/trace_rows.h"

namespace scenarios {

absl::StatusOr<RequestTrace> LoadVidur(const std::string& name,
                                       const std::string& text,
                                       const TraceOptions& options) {
  return LoadCsv(name, text, options,
                 {.input = "num_prefill_tokens",
                  .output = "num_decode_tokens",
                  .time = "arrived_at",
                  .session = "",
                  .moment_ns = &SecondsAsNs});
}

}  // namespace scenarios
