// BurstGPT (Wang et al. 2024, HPMLL/BurstGPT), four months of ChatGPT and
// GPT-4:
//
//   Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
//   5,ChatGPT,472,18,490,Conversation log
//
// Times are seconds. Failures have a response of 0 tokens; they are dropped and
// counted. Some files have a "Session ID".
#include <string>

#include "scenarios/traces/formats.h"
#include "scenarios/traces/trace_rows.h"

namespace scenarios {

absl::StatusOr<RequestTrace> LoadBurstGpt(const std::string& name,
                                          const std::string& text,
                                          const TraceOptions& options) {
  return LoadCsv(name, text, options,
                 {.input = "Request tokens",
                  .output = "Response tokens",
                  .time = "Timestamp",
                  .session = "Session ID",
                  .moment_ns = &SecondsAsNs,
                  .drop_no_output = true});
}

}  // namespace scenarios
