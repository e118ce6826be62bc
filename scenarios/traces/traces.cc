#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "scenarios/traces/formats.h"
#include "scenarios/traces/json_rows.h"
#include "scenarios/traces/trace.h"
#include "sim/csv_file.h"
#include "sim/read_text.h"

namespace scenarios {
namespace {

using Trace = proto::Workload::Trace;

constexpr absl::string_view kAzure[] = {"TIMESTAMP", "ContextTokens",
                                        "GeneratedTokens"};
constexpr absl::string_view kMooncake[] = {"timestamp", "input_length",
                                           "output_length", "hash_ids"};
constexpr absl::string_view kVidur[] = {"num_prefill_tokens",
                                        "num_decode_tokens"};
constexpr absl::string_view kVllmRequests[] = {"input_toks", "output_toks"};
constexpr absl::string_view kShareGpt[] = {"conversations"};
constexpr absl::string_view kBurstGpt[] = {"Timestamp", "Request tokens",
                                           "Response tokens"};
constexpr absl::string_view kBailian[] = {"chat_id",       "parent_chat_id",
                                          "timestamp",     "input_length",
                                          "output_length", "hash_ids"};

constexpr TraceFormat kFormats[] = {
    {Trace::AZURE, false, kAzure, &LoadAzure},
    {Trace::MOONCAKE, true, kMooncake, &LoadMooncake},
    {Trace::VIDUR, false, kVidur, &LoadVidur},
    {Trace::VLLM_REQUESTS, true, kVllmRequests, &LoadVllmRequests},
    {Trace::SHAREGPT, true, kShareGpt, &LoadShareGpt},
    {Trace::BURSTGPT, false, kBurstGpt, &LoadBurstGpt},
    {Trace::BAILIAN, true, kBailian, &LoadBailian},
};

// What a file calls what it holds.
struct Names {
  bool json = false;
  std::vector<std::string> names;
};

absl::StatusOr<Names> NamesOf(const std::string& name,
                              const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ":1:1: the trace is empty; it needs a request"));
  }
  Names found{.json = text[first] == '{' || text[first] == '[', .names = {}};
  if (!found.json) {
    const size_t end = std::min(text.find_first_of("\r\n", first), text.size());
    const absl::StatusOr<sim::CsvFile> header =
        sim::CsvFile::Parse(name, text.substr(0, end));
    if (!header.ok()) return header.status();
    found.names = header->names();
    return found;
  }
  JsonRows rows(name, text);
  const absl::StatusOr<bool> any = rows.Skip();
  if (!any.ok()) return any.status();
  if (!*any) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ":1:1: the list is empty; it needs a request"));
  }
  const absl::Status parsed = rows.Parse();
  if (!parsed.ok()) return parsed;
  for (const auto& item : rows.row().items()) found.names.push_back(item.key());
  return found;
}

bool HasAll(const Names& names, const TraceFormat& format) {
  return names.json == format.json &&
         std::all_of(format.names.begin(), format.names.end(),
                     [&](absl::string_view name) {
                       return std::find(names.names.begin(), names.names.end(),
                                        name) != names.names.end();
                     });
}

std::string Describe(const TraceFormat& format) {
  return absl::StrCat(Trace::Format_Name(format.format), " has ",
                      absl::StrJoin(format.names, ", "));
}

absl::Status UnknownFormat(const std::string& name, const Names& names) {
  std::vector<std::string> known;
  for (const TraceFormat& format : kFormats) {
    if (format.json == names.json) known.push_back(Describe(format));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      name, ":1:1: no known trace has the ", names.json ? "keys " : "columns ",
      absl::StrJoin(names.names, ", "), "; ", absl::StrJoin(known, "; ")));
}

}  // namespace

std::span<const TraceFormat> TraceFormats() { return kFormats; }

absl::StatusOr<RequestTrace> ParseTrace(const std::string& name,
                                        const std::string& text,
                                        const TraceOptions& options) {
  const absl::StatusOr<Names> names = NamesOf(name, text);
  if (!names.ok()) return names.status();
  const TraceFormat* best = nullptr;
  for (const TraceFormat& format : kFormats) {
    if (options.format == format.format) {
      if (names->json == format.json) {
        return format.load(name, text, options);
      }
      return absl::InvalidArgumentError(absl::StrCat(
          name, ":1:1: this is ", names->json ? "JSON" : "CSV", ", and ",
          Trace::Format_Name(format.format), " is not; format AUTO works"));
    }
    if (!HasAll(*names, format)) continue;
    if (best == nullptr || format.names.size() > best->names.size()) {
      best = &format;
    }
  }
  if (best == nullptr) return UnknownFormat(name, *names);
  return best->load(name, text, options);
}

absl::StatusOr<RequestTrace> LoadTrace(const std::string& path,
                                       const TraceOptions& options) {
  const absl::StatusOr<std::string> text = sim::ReadText(path);
  if (!text.ok()) return text.status();
  return ParseTrace(path, *text, options);
}

}  // namespace scenarios
