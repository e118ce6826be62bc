// One line of a CSV table, as RFC 4180 has it.
//
//   CsvLine(std::vector<std::string>{"h100", "8", "warm, second try"})
//       // h100,8,"warm, second try"\n
//
// Standard C++ alone, so that programs built without our libraries write the
// tables that CsvFile reads.
#ifndef SIM_CSV_LINE_H_
#define SIM_CSV_LINE_H_

#include <span>
#include <string>

namespace sim {

// The cells as one line of CSV, with its line feed; quotes only where needed.
// An empty line would count for nothing, so one empty cell is written "".
std::string CsvLine(std::span<const std::string> cells);

}  // namespace sim

#endif  // SIM_CSV_LINE_H_
