#include "sim/csv_file.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "sim/read_text.h"
#include "sim/spelling.h"

namespace sim {

// Takes the text apart, a cell at a time.
class CsvFile::Scanner {
 public:
  Scanner(absl::string_view input, CsvFile* file)
      : input_(input), file_(file) {}

  // Reads every row, blank lines left out; the first is the header.
  absl::Status ScanRows() {
    while (!AtEnd()) {
      if (TakeLineEnd()) continue;
      const size_t first = file_->cells_.size();
      absl::Status row = ScanRow();
      if (row.ok() && first == 0) row = file_->NameColumns();
      if (!row.ok()) return row;
      const size_t cells = file_->cells_.size() - first;
      if (cells == file_->names_.size()) continue;
      return file_->ErrorAt(
          file_->cells_[first],
          absl::StrCat("the row has ", cells, " cells; the header names ",
                       file_->names_.size(), " columns"));
    }
    if (!file_->cells_.empty()) return absl::OkStatus();
    return file_->ErrorAt(
        {.line = 1, .column = 1},
        "the table is empty; its first row names the columns");
  }

 private:
  bool AtEnd() const { return at_ == input_.size(); }
  bool Sees(char c) const { return !AtEnd() && input_[at_] == c; }
  bool SeesLineEnd() const {
    return Sees('\n') || input_.substr(at_, 2) == "\r\n";
  }

  void Take() {
    if (input_[at_] == '\n') {
      ++line_;
      line_start_ = at_ + 1;
    }
    ++at_;
  }

  bool TakeLineEnd() {
    if (!SeesLineEnd()) return false;
    if (Sees('\r')) Take();
    Take();
    return true;
  }

  absl::Status ScanRow() {
    while (true) {
      Cell cell = {.begin = file_->text_.size(),
                   .end = 0,
                   .line = line_,
                   .column = static_cast<int>(at_ - line_start_) + 1};
      const bool quoted = Sees('"');
      if (quoted && !TakeQuoted()) {
        return file_->ErrorAt(
            cell, "the quote is never closed; end the cell with \"");
      }
      while (!quoted && !AtEnd() && !Sees(',') && !SeesLineEnd()) {
        file_->text_.push_back(input_[at_]);
        Take();
      }
      cell.end = file_->text_.size();
      file_->cells_.push_back(cell);
      if (AtEnd() || TakeLineEnd()) return absl::OkStatus();
      if (!Sees(',')) {
        return file_->ErrorAt(
            cell,
            "text follows the closing quote; write a quote inside "
            "a quoted cell as \"\"");
      }
      Take();
    }
  }

  // Takes a cell in quotes; false if they never close.
  bool TakeQuoted() {
    Take();
    while (!AtEnd()) {
      const char c = input_[at_];
      Take();
      if (c == '"') {
        if (!Sees('"')) return true;
        Take();
      }
      file_->text_.push_back(c);
    }
    return false;
  }

  absl::string_view input_;
  CsvFile* file_;
  size_t at_ = 0;
  size_t line_start_ = 0;
  int line_ = 1;
};

absl::StatusOr<CsvFile> CsvFile::Load(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadText(path);
  if (!text.ok()) return text.status();
  return Parse(path, *text);
}

absl::StatusOr<CsvFile> CsvFile::Parse(const std::string& name,
                                       const std::string& text) {
  const absl::StatusOr<std::string> input = AsText(name, text);
  if (!input.ok()) return input.status();
  CsvFile file;
  file.name_ = name;
  file.text_.reserve(input->size());
  const absl::Status scanned = Scanner(*input, &file).ScanRows();
  if (!scanned.ok()) return scanned;
  return file;
}

absl::Status CsvFile::NameColumns() {
  for (const Cell& cell : cells_) {
    const std::string name = text_.substr(cell.begin, cell.end - cell.begin);
    if (name.empty()) {
      return ErrorAt(cell, "a column has no name; name each column");
    }
    if (FindColumn(name)) {
      return ErrorAt(cell, absl::StrCat("column \"", name,
                                        "\" is named twice; rename one"));
    }
    names_.push_back(name);
  }
  return absl::OkStatus();
}

absl::Status CsvFile::ErrorAt(const Cell& cell,
                              absl::string_view problem) const {
  return absl::InvalidArgumentError(
      absl::StrCat(name_, ":", cell.line, ":", cell.column, ": ", problem));
}

std::optional<CsvColumn> CsvFile::FindColumn(absl::string_view name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) return std::nullopt;
  return static_cast<CsvColumn>(found - names_.begin());
}

absl::StatusOr<CsvColumn> CsvFile::Column(absl::string_view name) const {
  if (const std::optional<CsvColumn> found = FindColumn(name)) return *found;
  return absl::InvalidArgumentError(
      absl::StrCat(name_, ":", cells_.front().line, ":1: there is no column \"",
                   name, "\"; ", Suggest(name, names_, "columns")));
}

const CsvFile::Cell& CsvFile::At(size_t row, CsvColumn column) const {
  assert(row < rows() && static_cast<size_t>(column) < names_.size());
  return cells_[(row + 1) * names_.size() + static_cast<size_t>(column)];
}

absl::string_view CsvFile::Text(size_t row, CsvColumn column) const {
  const Cell& cell = At(row, column);
  return absl::string_view(text_).substr(cell.begin, cell.end - cell.begin);
}

bool CsvFile::IsEmpty(size_t row, CsvColumn column) const {
  return Text(row, column).empty();
}

absl::StatusOr<double> CsvFile::Number(size_t row, CsvColumn column) const {
  const absl::string_view text = Text(row, column);
  double number = 0;
  if (absl::SimpleAtod(text, &number) && std::isfinite(number)) return number;
  return Error(
      row, column,
      absl::StrCat("\"", text, "\" is not a number; write one, as 12.5"));
}

absl::StatusOr<double> CsvFile::Positive(size_t row, CsvColumn column) const {
  absl::StatusOr<double> number = Number(row, column);
  if (number.ok() && *number <= 0) {
    return Error(row, column,
                 absl::StrCat(*number,
                              " is not above 0; write a number that "
                              "is"));
  }
  return number;
}

absl::StatusOr<int64_t> CsvFile::Integer(size_t row, CsvColumn column) const {
  const absl::string_view text = Text(row, column);
  int64_t integer = 0;
  if (absl::SimpleAtoi(text, &integer)) return integer;
  // Every whole double below 2^63 is an int64.
  double number = 0;
  if (absl::SimpleAtod(text, &number) && std::fabs(number) < 0x1p63 &&
      number == std::trunc(number)) {
    return static_cast<int64_t>(number);
  }
  return Error(
      row, column,
      absl::StrCat("\"", text, "\" is not a whole number; write one, as 12"));
}

absl::StatusOr<int64_t> CsvFile::Count(size_t row, CsvColumn column,
                                       int64_t most) const {
  absl::StatusOr<int64_t> count = Integer(row, column);
  if (count.ok() && (*count < 1 || *count > most)) {
    return Error(row, column,
                 absl::StrCat(*count, " is out of range; write 1 to ", most));
  }
  return count;
}

absl::StatusOr<bool> CsvFile::Flag(size_t row, CsvColumn column) const {
  const absl::string_view text = Text(row, column);
  if (text == "1" || text == "true") return true;
  if (text == "0" || text == "false") return false;
  return Error(row, column,
               absl::StrCat("\"", text, "\" is neither 0 nor 1; write 0 or 1"));
}

std::string CsvFile::Place(size_t row, CsvColumn column) const {
  const Cell& cell = At(row, column);
  return absl::StrCat(name_, ":", cell.line, ":", cell.column);
}

absl::Status CsvFile::Error(size_t row, CsvColumn column,
                            absl::string_view problem) const {
  return absl::InvalidArgumentError(
      absl::StrCat(Place(row, column), ": ",
                   names_[static_cast<size_t>(column)], ": ", problem));
}

}  // namespace sim
