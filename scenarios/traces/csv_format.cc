#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "scenarios/traces/trace_rows.h"
#include "sim/csv_file.h"

namespace scenarios {

absl::StatusOr<int64_t> SecondsAsNs(const sim::CsvFile& file, size_t row,
                                    sim::CsvColumn column) {
  const absl::StatusOr<double> seconds = file.Number(row, column);
  if (!seconds.ok()) return seconds.status();
  if (const auto ns = NanosecondsOf(*seconds)) return *ns;
  return file.Error(row, column,
                    absl::StrCat(file.Text(row, column),
                                 " s is more than 292 years; write seconds"));
}

namespace {

// The columns of a CsvFormat in one file.
struct Columns {
  sim::CsvColumn input{}, output{};
  std::optional<sim::CsvColumn> time, session;
};

absl::StatusOr<Columns> ColumnsOf(const sim::CsvFile& file,
                                  const CsvFormat& format) {
  Columns columns;
  for (const auto& [name, column] :
       {std::pair(format.input, &columns.input),
        std::pair(format.output, &columns.output)}) {
    const absl::StatusOr<sim::CsvColumn> found = file.Column(name);
    if (!found.ok()) return found.status();
    *column = *found;
  }
  columns.time = file.FindColumn(format.time);
  if (!format.session.empty()) {
    columns.session = file.FindColumn(format.session);
  }
  return columns;
}

// Reads a row into `rows`.
absl::Status ReadRow(const sim::CsvFile& file, size_t at,
                     const Columns& columns, const CsvFormat& format,
                     TraceRows& rows) {
  if (format.drop_no_output) {
    const absl::StatusOr<int64_t> output = file.Integer(at, columns.output);
    if (output.ok() && *output == 0) {
      ++rows.trace().dropped;
      return absl::OkStatus();
    }
  }
  TraceRow row;
  if (columns.time) {
    const absl::StatusOr<int64_t> ns =
        format.moment_ns(file, at, *columns.time);
    if (!ns.ok()) return ns.status();
    if (rows.IsEarlier(*ns)) {
      return file.Error(at, *columns.time,
                        absl::StrCat(file.Text(at, *columns.time),
                                     " is earlier than the row before; sort "
                                     "the rows by time"));
    }
    row.at_ns = *ns;
  }
  for (const auto& [column, tokens] :
       {std::pair(columns.input, &row.input),
        std::pair(columns.output, &row.output)}) {
    const absl::StatusOr<int64_t> count = file.Count(at, column, kMostTokens);
    if (!count.ok()) return count.status();
    *tokens = *count;
  }
  rows.Add(row);
  if (columns.session) {
    const std::string session(file.Text(at, *columns.session));
    rows.AddSession(session, session);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RequestTrace> LoadCsv(const std::string& name,
                                     const std::string& text,
                                     const TraceOptions& options,
                                     const CsvFormat& format) {
  const absl::StatusOr<sim::CsvFile> file = sim::CsvFile::Parse(name, text);
  if (!file.ok()) return file.status();
  const absl::StatusOr<Columns> columns = ColumnsOf(*file, format);
  if (!columns.ok()) return columns.status();
  TraceRows rows(options);
  for (size_t at = 0; at < file->rows() && !rows.done(); ++at) {
    if (!rows.Wants()) continue;
    const absl::Status read = ReadRow(*file, at, *columns, format, rows);
    if (!read.ok()) return read;
  }
  return std::move(rows).Trace(name);
}

}  // namespace scenarios
