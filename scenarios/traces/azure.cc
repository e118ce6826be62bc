// Azure's LLM inference traces of 2023 and 2024 (Azure/AzurePublicDataset):
//
//   TIMESTAMP,ContextTokens,GeneratedTokens
//   2023-11-16 18:15:46.6805900,374,44
//   2024-05-10 00:00:00.009930+00:00,2162,5
//
// Times are UTC, with digits down to 100 ns.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "scenarios/traces/formats.h"
#include "scenarios/traces/trace_rows.h"
#include "sim/csv_file.h"

namespace scenarios {
namespace {

// 64 bits of nanoseconds since 1970 end in 2262.
bool IsHeld(absl::Time time) {
  return time >= absl::UnixEpoch() && time <= absl::FromUnixNanos(INT64_MAX);
}

absl::StatusOr<int64_t> UtcAsNs(const sim::CsvFile& file, size_t row,
                                sim::CsvColumn column) {
  const absl::string_view text = file.Text(row, column);
  for (const absl::string_view format :
       {"%E4Y-%m-%d %H:%M:%E*S", "%E4Y-%m-%d %H:%M:%E*S%Ez"}) {
    absl::Time time;
    std::string ignored;
    if (absl::ParseTime(format, text, &time, &ignored) && IsHeld(time)) {
      return absl::ToUnixNanos(time);
    }
  }
  return file.Error(row, column,
                    absl::StrCat("\"", text,
                                 "\" is not a time in UTC; write one, as "
                                 "2023-11-16 18:15:46.6805900"));
}

}  // namespace

absl::StatusOr<RequestTrace> LoadAzure(const std::string& name,
                                       const std::string& text,
                                       const TraceOptions& options) {
  return LoadCsv(name, text, options,
                 {.input = "ContextTokens",
                  .output = "GeneratedTokens",
                  .time = "TIMESTAMP",
                  .session = "",
                  .moment_ns = &UtcAsNs});
}

}  // namespace scenarios
