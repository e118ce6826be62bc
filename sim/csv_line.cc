#include "sim/csv_line.h"

#include <span>
#include <string>

namespace sim {

std::string CsvLine(std::span<const std::string> cells) {
  std::string line;
  for (const std::string& cell : cells) {
    if (&cell != cells.data()) line += ',';
    const bool alone = cells.size() == 1 && cell.empty();
    if (!alone && cell.find_first_of(",\"\r\n") == std::string::npos) {
      line += cell;
      continue;
    }
    line += '"';
    for (const char c : cell)
      line += c == '"' ? std::string("\"\"") : std::string(1, c);
    line += '"';
  }
  line += '\n';
  return line;
}

}  // namespace sim
