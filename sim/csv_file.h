// A table in a CSV file: columns by name, cells by row, errors with a place.
//
//   gpu,batch,note                 absl::StatusOr<CsvFile> runs =
//   h100,8,"warm, second try"          CsvFile::Load("runs.csv");
//                                  runs->Column("batch")  // CsvColumn{1}
//   runs->Integer(0, CsvColumn{1})    // 8
//   runs->Number(0, CsvColumn{2})     // runs.csv:2:9: note: "warm, …" is not …
//
// RFC 4180: cells are split by commas; a cell in double quotes may hold commas,
// line breaks and, doubled, quotes. Lines end in LF or CRLF; blank ones count
// for nothing.
#ifndef SIM_CSV_FILE_H_
#define SIM_CSV_FILE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sim/csv_line.h"  // IWYU pragma: export

namespace sim {

enum class CsvColumn : uint32_t {};

class CsvFile {
 public:
  // Fails on what ReadText refuses, on no header row, on a column named twice
  // or not at all, on a row with more or fewer cells than the header, and on
  // quotes that do not close or that close before the cell ends.
  static absl::StatusOr<CsvFile> Load(const std::string& path);
  // The same for text at hand; `name` stands for the path in errors.
  static absl::StatusOr<CsvFile> Parse(const std::string& name,
                                       const std::string& text);

  const std::vector<std::string>& names() const { return names_; }
  size_t rows() const { return cells_.size() / names_.size() - 1; }

  // The column of that name; the error of Column() asks "did you mean".
  std::optional<CsvColumn> FindColumn(absl::string_view name) const;
  absl::StatusOr<CsvColumn> Column(absl::string_view name) const;

  // REQUIRES, here and below: row < rows(), and a column of this file.
  absl::string_view Text(size_t row, CsvColumn column) const;
  bool IsEmpty(size_t row, CsvColumn column) const;
  // A finite number.
  absl::StatusOr<double> Number(size_t row, CsvColumn column) const;
  // A number above zero.
  absl::StatusOr<double> Positive(size_t row, CsvColumn column) const;
  // A whole number; 8.0 and 15e12 are whole, too.
  absl::StatusOr<int64_t> Integer(size_t row, CsvColumn column) const;
  // A whole number from 1 to `most`.
  absl::StatusOr<int64_t> Count(size_t row, CsvColumn column,
                                int64_t most) const;
  // 0, 1, true or false.
  absl::StatusOr<bool> Flag(size_t row, CsvColumn column) const;

  // "runs.csv:2:9", where the cell stands.
  std::string Place(size_t row, CsvColumn column) const;
  // runs.csv:2:9: note: `problem`
  absl::Status Error(size_t row, CsvColumn column,
                     absl::string_view problem) const;

 private:
  struct Cell {
    size_t begin = 0, end = 0;  // in text_
    int line = 0, column = 0;   // of its first byte, a quote included; from 1
  };
  class Scanner;

  // The row above row 0 is the header.
  const Cell& At(size_t row, CsvColumn column) const;
  absl::Status NameColumns();  // by the header
  absl::Status ErrorAt(const Cell& cell, absl::string_view problem) const;

  std::string name_;
  std::string text_;         // of all cells, quotes resolved
  std::vector<Cell> cells_;  // header first, row by row
  std::vector<std::string> names_;
};

}  // namespace sim

#endif  // SIM_CSV_FILE_H_
