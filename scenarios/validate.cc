#include "scenarios/validate.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "scenarios/op_tables/op_tables.h"
#include "scenarios/report.h"
#include "scenarios/run.h"
#include "scenarios/suite.h"
#include "scenarios/table_rules.h"
#include "scenarios/validate_collectives.h"
#include "scenarios/validate_deep_ep.h"
#include "scenarios/validate_ops.h"
#include "scenarios/validate_runs.h"
#include "scenarios/validate_serving.h"
#include "scenarios/validate_suite.h"
#include "sim/csv_file.h"
#include "sim/units.h"

namespace scenarios {
namespace {

absl::StatusOr<double> SimulatedSeconds(const Inputs& inputs) {
  const absl::StatusOr<Outcome> outcome = Execute(inputs);
  if (!outcome.ok()) return outcome.status();
  return sim::InSeconds(outcome->step);
}

absl::StatusOr<RunFigures> SimulatedFigures(const Inputs& inputs) {
  const absl::StatusOr<Outcome> outcome = Execute(inputs);
  if (!outcome.ok()) return outcome.status();
  RunFigures figures{.step_seconds =
                         sim::InSeconds(outcome->step)};
  for (const sim::Ledger& stage : outcome->memory) {
    figures.peak_allocated_gib = std::max(figures.peak_allocated_gib,
                                          sim::InGiB(stage.allocated.bytes));
    figures.peak_reserved_gib = std::max(figures.peak_reserved_gib,
                                         sim::InGiB(stage.reserved.bytes));
  }
  return figures;
}

absl::StatusOr<MemoryNeed> SimulatedMemory(const Inputs& inputs) {
  const absl::StatusOr<Outcome> outcome = Execute(inputs);
  if (!outcome.ok()) return outcome.status();
  MemoryNeed need{.capacity_gib = sim::InGiB(inputs.cost.gpu.memory_capacity),
                  .fits = Fits(inputs, *outcome)};
  for (size_t stage = 0; stage < outcome->memory.size(); ++stage) {
    need.needs_gib =
        std::max(need.needs_gib, sim::InGiB(PeakOf(*outcome, stage)));
  }
  return need;
}

constexpr absl::string_view kFamily = "family";

// What rows are grouped by: a column, or nothing for the predictions' family.
using GroupCell = std::optional<sim::CsvColumn>;

// The same predictions, of rows of `csv`, grouped by the cells of `by`; as
// they are if it is empty.
absl::StatusOr<std::vector<Prediction>> GroupedBy(
    std::span<const GroupCell> by, const sim::CsvFile& csv,
    absl::StatusOr<std::vector<Prediction>> predictions) {
  if (!predictions.ok() || by.empty()) return predictions;
  for (Prediction& p : *predictions) {
    std::vector<std::string> cells;
    for (const GroupCell column : by) {
      const auto row = static_cast<size_t>(p.row - 1);
      cells.emplace_back(column ? csv.Text(row, *column) : p.family);
    }
    p.group = absl::StrJoin(cells, " ");
  }
  return predictions;
}

absl::StatusOr<sim::CsvFile> TableAt(const std::string& path) {
  absl::StatusOr<sim::CsvFile> csv = sim::CsvFile::Load(path);
  if (!csv.ok() || csv->rows() > 0) return csv;
  return absl::InvalidArgumentError(absl::StrCat(
      path, ":1:1: the table has no row below the names of its columns"));
}

absl::StatusOr<TableRules> RulesOf(const std::string& path,
                                   const sim::CsvFile& csv) {
  absl::StatusOr<TableRules> rules = RulesFor(csv);
  if (rules.ok()) return rules;
  return absl::InvalidArgumentError(
      absl::StrCat(path, ":1:1: ", rules.status().message()));
}

absl::StatusOr<std::vector<Prediction>> ValidateSuite(
    const std::string& path, std::span<const std::string> by, int threads) {
  if (!by.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": is a suite and has no column \"", by.front(),
        "\"; leave out --by"));
  }
  const absl::StatusOr<Suite> suite = LoadSuite(path);
  if (!suite.ok()) return suite.status();
  return PredictSuite(*suite, threads, SimulatedFigures);
}

}  // namespace

absl::StatusOr<std::vector<MemoryCheck>> ValidateMemory(const std::string& path,
                                                        int threads) {
  if (SuiteFileOf(path)) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": is a suite; --memory checks the rows of a table of runs"));
  }
  const absl::StatusOr<sim::CsvFile> csv = TableAt(path);
  if (!csv.ok()) return csv.status();
  const absl::StatusOr<TableRules> rules = RulesOf(path, *csv);
  if (!rules.ok()) return rules.status();
  return CheckMemory(*csv, *rules, threads, SimulatedMemory);
}

absl::StatusOr<std::vector<Prediction>> Validate(
    const std::string& path, std::span<const std::string> by, int threads) {
  if (const auto suite = SuiteFileOf(path)) {
    return ValidateSuite(*suite, by, threads);
  }
  const absl::StatusOr<sim::CsvFile> csv = TableAt(path);
  if (!csv.ok()) return csv.status();
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
  const absl::StatusOr<TableRules> rules = RulesOf(path, *csv);
  if (!rules.ok()) return rules.status();
  if (rules->fields.metric_size() > 0) {
    return GroupedBy(columns, *csv, PredictServing(*csv, *rules, threads));
  }
  return GroupedBy(columns, *csv,
                   PredictRuns(*csv, *rules, threads, SimulatedSeconds));
}

}  // namespace scenarios
