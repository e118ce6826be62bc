// The command line of orrery-measure.
#ifndef TOOLS_CALIBRATE_MEASURE_OPTIONS_H_
#define TOOLS_CALIBRATE_MEASURE_OPTIONS_H_

#include <string>
#include <vector>

#include "tools/calibrate/plan.h"

namespace tools {

inline constexpr char kUsage[] =
    "usage: orrery-measure [--quick] [--out DIR] [--only FAMILY,...]\n"
    "                      [--check] [--plan] [--verbose]\n"
    "  --quick    fewer shapes, under 3 minutes (default: under 10)\n"
    "  --out DIR  where the tables go (default: the current folder)\n"
    "  --only     roofline, gemm, attention, pointwise, experts, collectives\n"
    "  --check    compare every kernel with its reference; time nothing\n"
    "  --plan     print what would run and how long it would take; needs no "
    "GPU\n"
    "  --verbose  print each row as it is measured\n"
    "Exit 0 done; 1 a check failed (that table is not written) or a call did;\n"
    "2 bad usage; 77 no GPU. Changes no setting of the card.\n";

struct Options {
  PlanOptions plan;
  std::string folder = ".";
  bool check_only = false, print_plan = false, verbose = false, help = false;
};

// An empty string, or what is wrong with the arguments.
std::string ParseOptions(const std::vector<std::string>& arguments,
                         Options* options);

}  // namespace tools

#endif  // TOOLS_CALIBRATE_MEASURE_OPTIONS_H_
