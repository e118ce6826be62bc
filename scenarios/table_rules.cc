#include "scenarios/table_rules.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "scenarios/text_files.h"
#include "sim/data_path.h"
#include "sim/text_file.h"

namespace scenarios {
namespace {

constexpr int64_t kGpusInServer = 8;  // where gpus_per_node is blank

// Where a table of serving runs does not say: requests of each user of a closed
// loop (InferenceMAX runs ten), those of a run that lasts, and the least length
// of "0.8-1.0 x nominal".
constexpr int64_t kRequestsOfUser = 10, kRequests = 20000;
constexpr double kLeast = 0.8;

// One row of the table by column name, with the columns made of others.
class Cells {
 public:
  Cells(const sim::CsvFile& csv, size_t row) : csv_(csv), row_(row) {}

  // Empty if blank, and if there is no such column.
  std::string operator()(absl::string_view column) const {
    if (column == "half_of_layers") {
      const int64_t layers = Count("layers", 0);
      return layers > 0 ? absl::StrCat((layers + 1) / 2) : "";
    }
    if (const std::optional<std::string> cell = OfServing(column)) return *cell;
    if (column == "nodes" || column == "gpus_in_node") {
      const int64_t gpus = Count("n_gpus", 0);
      const int64_t in_node =
          std::min(gpus, Count("gpus_per_node", kGpusInServer));
      if (in_node == 0) return "";
      return absl::StrCat(column == "nodes" ? gpus / in_node : in_node);
    }
    const std::optional<sim::CsvColumn> found = csv_.FindColumn(column);
    return found ? std::string(csv_.Text(row_, *found)) : std::string();
  }

 private:
  // Cells that rules of serving runs may name beside the table's.
  std::optional<std::string> OfServing(absl::string_view column) const {
    if (column == "requests") {
      const int64_t given = Count("num_requests", 0);
      const int64_t users = Count("concurrency", 0);
      return absl::StrCat(given > 0   ? given
                          : users > 0 ? kRequestsOfUser * users
                                      : kRequests);
    }
    for (const absl::string_view side : {"input", "output"}) {
      const bool whole = column == absl::StrCat(side, "_tokens");
      if (!whole && column != absl::StrCat(side, "_least")) continue;
      double tokens = 0;
      if (!absl::SimpleAtod((*this)(absl::StrCat(side, "_len")), &tokens)) {
        return "";
      }
      return absl::StrCat(
          std::max<int64_t>(1, std::llround(tokens * (whole ? 1 : kLeast))));
    }
    return std::nullopt;
  }

  int64_t Count(absl::string_view column, int64_t blank) const {
    int64_t count = 0;
    return absl::SimpleAtoi((*this)(column), &count) ? count : blank;
  }

  const sim::CsvFile& csv_;
  const size_t row_;
};

bool Holds(const proto::Condition& condition, const Cells& cells) {
  const std::string cell = cells(condition.column());
  const auto is_cell = [&](const std::string& value) { return value == cell; };
  const auto in_cell = [&](const std::string& part) {
    return absl::StrContains(cell, part);
  };
  if (condition.is_size() > 0 &&
      std::none_of(condition.is().begin(), condition.is().end(), is_cell)) {
    return false;
  }
  if (std::any_of(condition.is_not().begin(), condition.is_not().end(),
                  is_cell)) {
    return false;
  }
  if (condition.contains_size() > 0 &&
      std::none_of(condition.contains().begin(), condition.contains().end(),
                   in_cell)) {
    return false;
  }
  if (condition.has_above()) {
    double number = 0;
    return absl::SimpleAtod(cell, &number) && number > condition.above();
  }
  return true;
}

bool AllHold(const proto::Rule& rule, const Cells& cells) {
  return std::all_of(rule.when().begin(), rule.when().end(),
                     [&](const auto& c) { return Holds(c, cells); });
}

// `text` with each ${column} replaced by its cell; nothing if `blanks` is false
// and a cell is blank.
std::optional<std::string> Fill(absl::string_view text, const Cells& cells,
                                bool blanks) {
  std::string filled;
  for (;;) {
    const size_t open = text.find("${");
    const size_t close = text.find('}', open);
    if (open == text.npos || close == text.npos) break;
    const std::string cell = cells(text.substr(open + 2, close - open - 2));
    if (cell.empty() && !blanks) return std::nullopt;
    absl::StrAppend(&filled, text.substr(0, open), cell);
    text.remove_prefix(close + 1);
  }
  return absl::StrCat(filled, text);
}

// "hidden 3072, layers 30": the cells of `columns` that are not blank.
template <class Columns>
std::string Joined(const Columns& columns, const Cells& cells) {
  std::vector<std::string> parts;
  for (const std::string& column : columns) {
    const std::string cell = cells(column);
    if (!cell.empty()) parts.push_back(absl::StrCat(column, " ", cell));
  }
  return absl::StrJoin(parts, ", ");
}

void NameFamilies(const proto::Table& table, const Cells& cells, RunRow* run) {
  run->series = Joined(table.series().same(), cells);
  const bool largest =
      table.frontier_size() > 0 &&
      std::all_of(table.frontier().begin(), table.frontier().end(),
                  [&](const auto& c) { return Holds(c, cells); });
  if (!largest) return;
  run->frontier = Joined(table.frontier_same(), cells);
}

}  // namespace

absl::StatusOr<TableRules> RulesFor(const sim::CsvFile& csv) {
  std::vector<std::string> lacks;
  for (const std::string& name : TextFilesIn("scenarios/tables")) {
    proto::Table table;
    const std::string path =
        sim::DataPath(absl::StrCat("scenarios/tables/", name, ".textproto"))
            .string();
    const absl::StatusOr<sim::TextFile> file =
        sim::TextFile::Load(path, &table);
    if (!file.ok()) return file.status();
    std::vector<std::string> missing;
    for (const std::string& column : table.column()) {
      if (!csv.FindColumn(column)) missing.push_back(column);
    }
    if (missing.empty()) return TableRules{name, std::move(table)};
    lacks.push_back(
        absl::StrCat(name, " needs ", absl::StrJoin(missing, ", ")));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "its columns are of no known table; ", absl::StrJoin(lacks, "; ")));
}

RunRow RowOf(const TableRules& rules, const sim::CsvFile& csv, size_t row) {
  const Cells cells(csv, row);
  const proto::Table& table = rules.fields;
  RunRow run{.id = cells(table.id()),
             .source = table.has_source() ? cells(table.source()) : ""};
  const std::string measured = cells(table.measured());
  double number = 0;
  if (table.metric_size() > 0) {
    for (const std::string& metric : table.metric()) {
      if (absl::SimpleAtod(cells(metric), &number) && number > 0) {
        run.metrics.emplace_back(metric, number);
      }
    }
    if (run.metrics.empty()) run.skip = "no measurement";
  } else if (measured.empty()) {
    run.skip = "no measured time";
  } else if (absl::SimpleAtod(measured, &number) && std::isfinite(number) &&
             number > 0) {
    run.measured_seconds = number * table.measured_in_seconds();
  } else {
    run.skip = absl::StrCat(table.measured(), ": \"", measured,
                            "\" is no time; write a number above 0");
  }
  run.scored =
      std::none_of(table.not_scored().begin(), table.not_scored().end(),
                   [&](const auto& c) { return Holds(c, cells); });
  NameFamilies(table, cells, &run);
  for (const proto::Rule& rule : table.rule()) {
    if (!run.skip.empty()) break;
    if (!AllHold(rule, cells)) continue;
    if (rule.has_skip()) run.skip = *Fill(rule.skip(), cells, true);
    for (const std::string& set : rule.set()) {
      if (auto filled = Fill(set, cells, false)) {
        run.sets.push_back(*std::move(filled));
      }
    }
  }
  return run;
}

}  // namespace scenarios
