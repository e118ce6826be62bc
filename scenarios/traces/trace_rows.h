// What loaders of traces have in common: which rows count, how one is added,
// and most of a format in CSV or JSON.
//
//   TraceRows rows(options);
//   while (!rows.done() && …next row…) {
//     if (!rows.Wants()) continue;
//     rows.Add({.at_ns = 0, .input = 374, .output = 44});
//   }
//   return std::move(rows).Trace(name);
#ifndef SCENARIOS_TRACES_TRACE_ROWS_H_
#define SCENARIOS_TRACES_TRACE_ROWS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "scenarios/traces/json_rows.h"
#include "scenarios/traces/trace.h"
#include "sim/csv_file.h"

namespace scenarios {

// Most tokens of a prompt or of an answer.
inline constexpr int64_t kMostTokens = int64_t{1} << 30;

// A moment as nanoseconds; nothing beyond 292 years from 0.
std::optional<int64_t> NanosecondsOf(double seconds);

struct TraceRow {
  // Since any moment, the same for all rows; all of them have one, or none.
  std::optional<int64_t> at_ns;
  int64_t input = 1, output = 1;  // 1 to kMostTokens
};

class TraceRows {
 public:
  explicit TraceRows(const TraceOptions& options) : options_(options) {}

  // Asked once for every row of the file: whether to read it.
  bool Wants();
  // No further row is wanted.
  bool done() const;

  // Whether rows so far have times.
  bool has_times() const { return any_time_; }
  // A row at that moment would go back in time.
  bool IsEarlier(int64_t at_ns) const { return any_time_ && at_ns < last_ns_; }

  // REQUIRES: the row is not earlier.
  void Add(const TraceRow& row);
  // The conversation of the row added last, by a name, is the one of the row
  // named `parent` if there is such a row, or else one of its own. Empty: no
  // name.
  void AddSession(const std::string& name, const std::string& parent);
  // Prefix and chunk are set by whoever knows.
  RequestTrace& trace() { return trace_; }

  // Fails if there are no rows.
  absl::StatusOr<RequestTrace> Trace(const std::string& name) &&;

 private:
  TraceOptions options_;
  int64_t next_ = 0;  // row of the file
  bool any_time_ = false;
  int64_t first_ns_ = 0, last_ns_ = 0;
  absl::flat_hash_map<std::string, uint32_t> sessions_;  // by row's name
  RequestTrace trace_;
};

// How a CSV format names its columns, and reads moments.
struct CsvFormat {
  absl::string_view input, output;
  absl::string_view time;     // may be missing from the file
  absl::string_view session;  // likewise; "": none
  absl::StatusOr<int64_t> (*moment_ns)(const sim::CsvFile& file, size_t row,
                                       sim::CsvColumn column);
  bool drop_no_output = false;  // rows with an output of 0
};
absl::StatusOr<RequestTrace> LoadCsv(const std::string& name,
                                     const std::string& text,
                                     const TraceOptions& options,
                                     const CsvFormat& format);

// How lines of JSON name what they hold.
struct JsonFormat {
  const char* input;
  const char* output;
  const char* time;
  double seconds_per_unit = 1;  // of time
  bool needs_time = true;       // else all rows have one, or none
  int64_t chunk = 0;            // tokens that an id of hash_ids stands for
};
// Adds the row that `row` is at.
absl::Status AddJson(const JsonRows& row, const JsonFormat& format,
                     TraceRows& rows);
// Reads every object that `options` want.
absl::StatusOr<RequestTrace> LoadJson(
    const std::string& name, const std::string& text,
    const TraceOptions& options,
    absl::FunctionRef<absl::Status(const JsonRows& row, TraceRows& rows)> read);

// A cell in seconds.
absl::StatusOr<int64_t> SecondsAsNs(const sim::CsvFile& file, size_t row,
                                    sim::CsvColumn column);

}  // namespace scenarios

#endif  // SCENARIOS_TRACES_TRACE_ROWS_H_
