// Reports as JSON, as CSV, and side by side.
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "scenarios/answer.h"
#include "scenarios/figures.h"
#include "sim/csv_file.h"

namespace scenarios {
namespace {

using google::protobuf::Message;

// A row of figures, one for each report; empty where a report has none.
struct Line {
  std::string key;
  absl::string_view unit;
  std::vector<const Figure*> figures;

  bool same() const {
    return std::all_of(figures.begin(), figures.end(), [&](const Figure* f) {
      return f != nullptr && figures[0] != nullptr &&
             f->value == figures[0]->value;
    });
  }
};

// Lines in the order in which the reports first name them.
std::vector<Line> LinesOf(const std::vector<std::vector<Figure>>& reports) {
  std::vector<Line> lines;
  std::map<std::string, size_t> row_of;
  for (size_t report = 0; report < reports.size(); ++report) {
    for (const Figure& figure : reports[report]) {
      const auto [it, fresh] = row_of.try_emplace(figure.key, lines.size());
      if (fresh) {
        lines.push_back(
            {.key = figure.key,
             .unit = figure.row == nullptr ? "" : figure.row->unit,
             .figures = std::vector<const Figure*>(reports.size(), nullptr)});
      }
      lines[it->second].figures[report] = &figure;
    }
  }
  return lines;
}

std::vector<std::vector<Figure>> FiguresOfAll(Reports reports) {
  std::vector<std::vector<Figure>> all;
  for (const Message* report : reports) all.push_back(FiguresOf(*report));
  return all;
}

std::string Json(const Message& report) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  // A report holds no Any and no bytes: nothing in it can fail to print.
  (void)google::protobuf::util::MessageToJsonString(report, &json, options);
  return json;
}

// Words can be long: one line for each report, numbered as on the command line.
void AppendWords(const Line& line, std::string* out) {
  absl::StrAppend(out, line.key, "\n");
  for (size_t i = 0; i < line.figures.size(); ++i) {
    const Figure* figure = line.figures[i];
    absl::StrAppend(out, "  ", i + 1, "  ",
                    figure == nullptr ? "-" : figure->value, "\n");
  }
}

void AppendLine(const Line& line, bool ratios, std::string* out) {
  const bool words =
      std::any_of(line.figures.begin(), line.figures.end(),
                  [](const Figure* f) { return f != nullptr && !f->numeric; });
  if (words) return AppendWords(line, out);
  absl::StrAppendFormat(out, "%-34s", line.key);
  for (size_t i = 0; i < line.figures.size(); ++i) {
    const Figure* figure = line.figures[i];
    std::string cell = figure == nullptr ? "-" : figure->value;
    const Figure* first = line.figures[0];
    if (ratios && i > 0 && figure != nullptr && figure->numeric &&
        first != nullptr && first->number != 0) {
      absl::StrAppendFormat(&cell, " (x%.3f)", figure->number / first->number);
    }
    absl::StrAppendFormat(out, "  %24s", cell);
  }
  absl::StrAppend(out, line.unit.empty() ? "" : "  ", line.unit, "\n");
}

}  // namespace

std::string ToJson(const Message& report) { return Json(report); }

std::string CompareJson(Reports reports) {
  std::string out = "{\"reports\": [";
  for (size_t i = 0; i < reports.size(); ++i) {
    absl::StrAppend(&out, i == 0 ? "\n" : ",\n", Json(*reports[i]));
  }
  absl::StrAppend(&out, "]}\n");
  return out;
}

std::string ToCsv(Reports reports) {
  const std::vector<std::vector<Figure>> all = FiguresOfAll(reports);
  std::vector<std::string> cells = {"figure", "unit"};
  for (const auto& figures : all) cells.push_back(figures.front().value);
  std::string out = sim::CsvLine(cells);
  for (const Line& line : LinesOf(all)) {
    cells = {line.key, std::string(line.unit)};
    for (const Figure* figure : line.figures) {
      cells.push_back(figure == nullptr ? "" : figure->value);
    }
    out += sim::CsvLine(cells);
  }
  return out;
}

std::string CompareText(Reports reports) {
  const std::vector<std::vector<Figure>> all = FiguresOfAll(reports);
  const std::vector<Line> lines = LinesOf(all);
  std::string out = "what differs\n";
  for (const Line& line : lines) {
    if (!line.same()) AppendLine(line, true, &out);
  }
  absl::StrAppend(&out, "\nwhat does not\n");
  for (const Line& line : lines) {
    if (line.same()) {
      absl::StrAppendFormat(&out, "%-34s  %24s%s%s\n", line.key,
                            line.figures[0]->value,
                            line.unit.empty() ? "" : "  ", line.unit);
    }
  }
  return out;
}

}  // namespace scenarios
