// Tables of measured runs, read by the rules of scenarios/tables.
//
//   sim::CsvFile csv = *sim::CsvFile::Load("training_runs.csv");
//   TableRules rules = *RulesFor(csv);  // by its columns
//   RunRow row = RowOf(rules, csv, 3);
//   row.sets;  // {"model.transformer.layers=80", …}, for ParseScenario
//
// To add a table: scenarios/tables/<name>.textproto; table.proto is the
// reference of its fields.
#ifndef SCENARIOS_TABLE_RULES_H_
#define SCENARIOS_TABLE_RULES_H_

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "scenarios/table.pb.h"
#include "sim/csv_file.h"

namespace scenarios {

struct TableRules {
  std::string name;  // of the file in scenarios/tables
  proto::Table fields;
};

// The rules of the first table, by name, whose columns `csv` has all of; fails
// if there is none, naming the columns that each lacks.
absl::StatusOr<TableRules> RulesFor(const sim::CsvFile& csv);

// A row made ready to load.
struct RunRow {
  std::string id;
  std::string source;  // empty if the table has none
  double measured_seconds = 0;  // above 0; 0 if `skip` says there is none
  // Of a table of serving runs: columns and what they hold, above 0.
  std::vector<std::pair<std::string, double>> metrics = {};
  bool scored = false;    // counts in the headline
  std::string series = {};    // Table.series; empty: the table has none
  std::string frontier = {};  // Table.frontier; empty: not of one
  std::string skip = {};  // why it cannot be modelled; empty if it can
  std::vector<std::string> sets = {};
};

// REQUIRES: row < csv.rows(), and the rules are for this table.
RunRow RowOf(const TableRules& rules, const sim::CsvFile& csv, size_t row);

}  // namespace scenarios

#endif  // SCENARIOS_TABLE_RULES_H_
