#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "scenarios/traces/json_rows.h"
#include "scenarios/traces/trace_rows.h"

namespace scenarios {
namespace {

// The moment of a row, or nothing where it may lack one.
absl::StatusOr<std::optional<int64_t>> MomentOf(const JsonRows& row,
                                                const JsonFormat& format,
                                                TraceRows& rows) {
  if (!format.needs_time) {
    const bool has = row.Find(format.time) != nullptr;
    if (!has && !rows.has_times()) return std::nullopt;
    if (has && !rows.has_times() && rows.trace().rows() > 0) {
      return row.Error(format.time,
                       "rows before lack it; all rows have it, or none");
    }
  }
  const absl::StatusOr<double> time = row.Number(format.time);
  if (!time.ok()) return time.status();
  const auto ns = NanosecondsOf(*time * format.seconds_per_unit);
  const std::string text = row.Find(format.time)->dump();
  if (!ns) {
    return row.Error(format.time,
                     absl::StrCat(text,
                                  " is more than 292 years; write a time "
                                  "within them"));
  }
  if (rows.IsEarlier(*ns)) {
    return row.Error(format.time,
                     absl::StrCat(text,
                                  " is earlier than the row before; sort "
                                  "the rows by time"));
  }
  return ns;
}

// Adds the ids of whole chunks; that of a last one which the prompt does not
// fill is left out, for the answer goes on in it.
absl::Status AddPrefix(const JsonRows& row, int64_t chunk, int64_t input,
                       RequestTrace& trace) {
  constexpr char kKey[] = "hash_ids";
  trace.chunk = chunk;
  const nlohmann::json* ids = row.Find(kKey);
  if (ids == nullptr) return row.Error(kKey, "is missing; every row needs it");
  if (!ids->is_array()) {
    return row.Error(kKey, "is no list; write one id for each block, [1, 2]");
  }
  const auto blocks = static_cast<size_t>((input + chunk - 1) / chunk);
  if (ids->size() > blocks) {
    return row.Error(
        kKey, absl::StrCat(ids->size(), " ids are more than the ", blocks,
                           " blocks of ", chunk, " tokens in ", input,
                           "; write at most one for each"));
  }
  for (const nlohmann::json& id : *ids) {
    if (!id.is_number_integer()) {
      return row.Error(kKey, absl::StrCat(id.dump(),
                                          " is no id; write whole "
                                          "numbers"));
    }
  }
  const auto whole = static_cast<size_t>(input / chunk);
  for (size_t i = 0; i < ids->size() && i < whole; ++i) {
    trace.ids.push_back((*ids)[i].get<uint64_t>());
  }
  trace.ids_end.push_back(trace.ids.size());
  return absl::OkStatus();
}

}  // namespace

absl::Status AddJson(const JsonRows& row, const JsonFormat& format,
                     TraceRows& rows) {
  const absl::StatusOr<std::optional<int64_t>> ns = MomentOf(row, format, rows);
  if (!ns.ok()) return ns.status();
  const absl::StatusOr<int64_t> input = row.Count(format.input, kMostTokens);
  if (!input.ok()) return input.status();
  const absl::StatusOr<int64_t> output = row.Count(format.output, kMostTokens);
  if (!output.ok()) return output.status();
  rows.Add({.at_ns = *ns, .input = *input, .output = *output});
  if (format.chunk == 0) return absl::OkStatus();
  return AddPrefix(row, format.chunk, *input, rows.trace());
}

absl::StatusOr<RequestTrace> LoadJson(
    const std::string& name, const std::string& text,
    const TraceOptions& options,
    absl::FunctionRef<absl::Status(const JsonRows& row, TraceRows& rows)>
        read) {
  JsonRows objects(name, text);
  TraceRows rows(options);
  while (!rows.done()) {
    const absl::StatusOr<bool> more = objects.Skip();
    if (!more.ok()) return more.status();
    if (!*more) break;
    if (!rows.Wants()) continue;
    absl::Status status = objects.Parse();
    if (status.ok()) status = read(objects, rows);
    if (!status.ok()) return status;
  }
  return std::move(rows).Trace(name);
}

}  // namespace scenarios
