// An account as text, CSV and JSON.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "models/account.h"
#include "models/account_sections.h"
#include "nlohmann/json.hpp"
#include "sim/csv_file.h"

namespace models {
namespace {

constexpr double kWhole = 1e15;  // below it every whole double is exact

bool IsWhole(double value) {
  return std::abs(value) < kWhole && value == std::floor(value);
}

// As few digits as read back to the same number.
std::string Exactly(double value) {
  if (IsWhole(value)) return absl::StrFormat("%.0f", value);
  for (int digits = 6; digits < 17; ++digits) {
    const std::string text = absl::StrFormat("%.*g", digits, value);
    double read = 0;
    if (absl::SimpleAtod(text, &read) && read == value) return text;
  }
  return absl::StrFormat("%.17g", value);
}

// For people: counts and bytes whole, with a rounded form where long.
std::string Readable(std::optional<double> value, absl::string_view unit) {
  if (!value) return "-";
  if (unit == "FLOPs") return absl::StrFormat("%.5g", *value);
  if (unit == "bytes") return ReadableBytes(*value);
  if (unit == "seconds") {
    if (*value >= 1) return absl::StrFormat("%.3f s", *value);
    return *value >= 1e-3 ? absl::StrFormat("%.3f ms", *value * 1e3)
                          : absl::StrFormat("%.3f us", *value * 1e6);
  }
  return IsWhole(*value) ? Grouped(static_cast<int64_t>(*value))
                         : absl::StrFormat("%.4g", *value);
}

// Columns as wide as a section needs.
struct Widths {
  size_t name = 0, exact = 0, rule = 0, bytes = 0;
};

Widths WidthsOf(std::span<const AccountRow> rows) {
  Widths w{.name = 0, .exact = 5, .rule = 4, .bytes = 5};
  for (const AccountRow& row : rows) {
    w.name = std::max(w.name, row.name.size());
    w.exact = std::max(w.exact, Readable(row.exact, row.unit).size());
    w.rule = std::max(w.rule, Readable(row.rule, row.unit).size());
    w.bytes = std::max(w.bytes, Readable(row.bytes, "bytes").size());
  }
  return w;
}

// One section: `exact`, and `rule` or `bytes` where a row has one.
void AppendSection(std::span<const AccountRow> rows, std::string* text) {
  bool rule = false, bytes = false;
  for (const AccountRow& row : rows) {
    rule = rule || row.rule;
    bytes = bytes || row.bytes;
  }
  const Widths w = WidthsOf(rows);
  const auto line = [&](absl::string_view name, absl::string_view exact,
                        absl::string_view traffic, absl::string_view thumb,
                        absl::string_view note) {
    absl::StrAppendFormat(text, "  %-*s  %*s", w.name, name, w.exact, exact);
    if (bytes) absl::StrAppendFormat(text, "  %*s", w.bytes, traffic);
    if (rule) absl::StrAppendFormat(text, "  %*s", w.rule, thumb);
    absl::StrAppend(text, note.empty() ? "" : "  ", note, "\n");
  };
  absl::StrAppend(text, "\n", rows[0].section, "\n");
  line("", rows[0].unit == "FLOPs" && bytes ? "FLOPs" : "exact", "bytes",
       "rule", "");
  for (const AccountRow& row : rows) {
    line(row.name, Readable(row.exact, row.unit), Readable(row.bytes, "bytes"),
         Readable(row.rule, row.unit), row.note);
  }
}

std::string Cell(const std::optional<double>& value) {
  return value ? Exactly(*value) : "";
}

}  // namespace

std::string Grouped(int64_t number) {
  const std::string digits = absl::StrCat(std::abs(number));
  std::string grouped = number < 0 ? "-" : "";
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) grouped += ',';
    grouped += digits[i];
  }
  return grouped;
}

std::string Counted(int64_t number, absl::string_view noun) {
  return absl::StrCat(Grouped(number), " ", noun, number == 1 ? "" : "s");
}

std::string ReadableBytes(double bytes) {
  if (bytes >= 1e9) return absl::StrFormat("%.3f GB", bytes * 1e-9);
  if (bytes >= 1e6) return absl::StrFormat("%.3f MB", bytes * 1e-6);
  return absl::StrCat(Grouped(static_cast<int64_t>(std::ceil(bytes))), " B");
}

std::string AccountText(const AccountQuestion& question,
                        std::span<const AccountRow> rows) {
  std::string text = absl::StrCat(
      question.model.name, ": ", question.training.micro_batch, " x ",
      question.training.sequence_length, " tokens a microbatch\n");
  for (size_t begin = 0; begin < rows.size();) {
    size_t end = begin;
    while (end < rows.size() && rows[end].section == rows[begin].section) ++end;
    AppendSection(rows.subspan(begin, end - begin), &text);
    begin = end;
  }
  return text;
}

std::string AccountCsv(std::span<const AccountRow> rows) {
  std::string csv = sim::CsvLine(std::vector<std::string>{
      "section", "name", "unit", "exact", "rule", "bytes", "note"});
  for (const AccountRow& row : rows) {
    csv += sim::CsvLine(std::vector<std::string>{
        row.section, row.name, row.unit, Cell(row.exact), Cell(row.rule),
        Cell(row.bytes), row.note});
  }
  return csv;
}

std::string AccountJson(const AccountQuestion& question,
                        std::span<const AccountRow> rows) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const AccountRow& row : rows) {
    nlohmann::ordered_json item = {
        {"section", row.section}, {"name", row.name}, {"unit", row.unit}};
    if (row.exact) item["exact"] = *row.exact;
    if (row.rule) item["rule"] = *row.rule;
    if (row.bytes) item["bytes"] = *row.bytes;
    item["note"] = row.note;
    list.push_back(std::move(item));
  }
  const nlohmann::ordered_json json = {{"model", question.model.name},
                                       {"rows", std::move(list)}};
  return json.dump(2, ' ', false,
                   nlohmann::ordered_json::error_handler_t::replace) +
         "\n";
}

}  // namespace models
