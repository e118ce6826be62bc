// The cells of one row of a measured table, by column name.
//
//   OpRow row(csv, 0);
//   int64_t m = row.Count("m", kMostRows);  // 4096
//   if (!row.status().ok()) …               // t.csv:2:11: m: "many" is not …
#ifndef SCENARIOS_OP_TABLES_OP_ROW_H_
#define SCENARIOS_OP_TABLES_OP_ROW_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sim/csv_file.h"

namespace scenarios {

// What the cells may hold: operands of one kernel, counted in 64 bits.
inline constexpr int64_t kMostRows = 1 << 30, kMostHeads = 1 << 14,
                         kMostTokens = 1 << 22, kWidestHead = 1 << 10,
                         kMostBytes = int64_t{1} << 50;

// Cells of one row, by column name. The first error sticks.
class OpRow {
 public:
  OpRow(const sim::CsvFile& table, size_t row) : table_(table), row_(row) {}

  bool Has(absl::string_view column) const {
    return table_.FindColumn(column).has_value();
  }
  std::string Text(absl::string_view column) {
    const auto at = Find(column);
    return at ? std::string(table_.Text(row_, *at)) : "";
  }
  // Blank where the table has no such column.
  std::string TextIfAny(absl::string_view column) {
    return table_.FindColumn(column) ? Text(column) : "";
  }
  int64_t Count(absl::string_view column, int64_t most) {
    const auto at = Find(column);
    return at ? Take(table_.Count(row_, *at, most)) : 0;
  }
  double Positive(absl::string_view column) {
    const auto at = Find(column);
    return at ? Take(table_.Positive(row_, *at)) : 0;
  }
  bool Flag(absl::string_view column) {
    const auto at = Find(column);
    return at && Take(table_.Flag(row_, *at));
  }
  const absl::Status& status() const { return status_; }

 private:
  std::optional<sim::CsvColumn> Find(absl::string_view name) {
    const absl::StatusOr<sim::CsvColumn> column = table_.Column(name);
    if (column.ok()) return *column;
    if (status_.ok()) status_ = column.status();
    return std::nullopt;
  }
  template <class T>
  T Take(const absl::StatusOr<T>& cell) {
    if (cell.ok()) return *cell;
    if (status_.ok()) status_ = cell.status();
    return T();
  }

  const sim::CsvFile& table_;
  size_t row_;
  absl::Status status_;
};

}  // namespace scenarios

#endif  // SCENARIOS_OP_TABLES_OP_ROW_H_
