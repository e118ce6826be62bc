// One row for every figure of a report: its unit, how it is written, and what
// it means. Text, CSV and comparisons walk these rows, so that a figure is
// named and defined once.
//
//   for (const Figure& f : FiguresOf(report)) …  // "memory.peak_gib", 63.1, …
#ifndef SCENARIOS_FIGURES_H_
#define SCENARIOS_FIGURES_H_

#include <span>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace google::protobuf {
class Message;
}

namespace scenarios {

struct FigureRow {
  absl::string_view key;    // field of report.proto, by dots: "memory.peak_gib"
  absl::string_view label;  // "memory peak"
  absl::string_view unit;   // "GiB"; empty for names and counts
  absl::string_view meaning;
};
std::span<const FigureRow> FigureRows();

// A figure of one report, as text. Repeated fields are keyed by what they are
// about: "parts.gemm.seconds", "stages.3.peak_gib".
struct Figure {
  std::string key;
  std::string value;  // numbers with six significant digits
  double number = 0;  // of numbers
  bool numeric = false;
  const FigureRow* row = nullptr;
};

// Every set figure of a Report, a ServingReport or a CapacityReport, in the order of its .proto.
std::vector<Figure> FiguresOf(const google::protobuf::Message& report);

}  // namespace scenarios

#endif  // SCENARIOS_FIGURES_H_
