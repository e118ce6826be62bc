#include "scenarios/validate.h"

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "scenarios/op_tables/op_tables.h"
#include "scenarios/run.h"
#include "scenarios/table_rules.h"
#include "scenarios/validate_collectives.h"
#include "scenarios/validate_deep_ep.h"
#include "scenarios/validate_ops.h"
#include "scenarios/validate_runs.h"
#include "sim/csv_file.h"
#include "sim/units.h"

namespace scenarios {
namespace {

absl::StatusOr<double> SimulatedSeconds(const Inputs& inputs) {
  const absl::StatusOr<Outcome> outcome = Execute(inputs);
  if (!outcome.ok()) return outcome.status();
  return sim::InSeconds(outcome->timeline.makespan);
}

constexpr absl::string_view kFamily = "family";

// What rows are grouped by: a column, or nothing for the predictions' family.
using GroupCell = std::optional<sim::CsvColumn>;

// The same predictions, one per row of `csv`, grouped by the cells of `by`; as
// they are if it is empty.
absl::StatusOr<std::vector<Prediction>> GroupedBy(
    std::span<const GroupCell> by, const sim::CsvFile& csv,
    absl::StatusOr<std::vector<Prediction>> predictions) {
  if (!predictions.ok() || by.empty()) return predictions;
  for (size_t row = 0; row < predictions->size(); ++row) {
    std::vector<std::string> cells;
    for (const GroupCell column : by) {
      cells.emplace_back(column ? csv.Text(row, *column)
                                : (*predictions)[row].family);
    }
    (*predictions)[row].group = absl::StrJoin(cells, " ");
  }
  return predictions;
}

}  // namespace

absl::StatusOr<std::vector<Prediction>> Validate(
    const std::string& path, std::span<const std::string> by, int threads) {
  const absl::StatusOr<sim::CsvFile> csv = sim::CsvFile::Load(path);
  if (!csv.ok()) return csv.status();
  if (csv->rows() == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ":1:1: the table has no row below the names of its columns"));
  }
  std::vector<GroupCell> columns;
  for (const std::string& name : by) {
    const absl::StatusOr<sim::CsvColumn> column = csv->Column(name);
    if (column.ok()) {
      columns.push_back(*column);
    } else if (name == kFamily) {
      columns.push_back(std::nullopt);
    } else {
      return column.status();
    }
  }
  if (FindOpTable(*csv) != nullptr)
    return GroupedBy(columns, *csv, PredictOps(*csv));
  if (IsCollectiveTable(*csv)) {
    return GroupedBy(columns, *csv, PredictCollectives(*csv));
  }
  if (IsDeepEpTable(*csv)) {
    return GroupedBy(columns, *csv, PredictDeepEp(*csv));
  }
  const absl::StatusOr<TableRules> rules = RulesFor(*csv);
  if (!rules.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ":1:1: ", rules.status().message()));
  }
  return GroupedBy(columns, *csv,
                   PredictRuns(*csv, *rules, threads, SimulatedSeconds));
}

}  // namespace scenarios
