// The least value of a function of a few bounded numbers, found without
// derivatives: NLopt's subplex, which laws with kinks (whole waves, the best of
// several tiles) do not mislead.
//
//   Minimise({{.start = 2, .least = 0.1, .most = 10}}, SquareOfLog, 500);
//   // at {1.0}, value 0
#ifndef TOOLS_CALIBRATE_MINIMISE_H_
#define TOOLS_CALIBRATE_MINIMISE_H_

#include <functional>
#include <span>
#include <vector>

namespace tools {

// One number. It is searched by its logarithm if `least` is above zero.
struct Variable {
  double start = 0;
  double least = 0, most = 1;  // least < most; start is brought between them
};

struct Minimum {
  std::vector<double> at;
  double value = 0;
  int evaluations = 0;
};

// Stops at relative changes below 1e-4 or after `most_evaluations`. The same
// function gives the same answer. REQUIRES: f is finite in the bounds.
Minimum Minimise(std::span<const Variable> variables,
                 const std::function<double(std::span<const double>)>& f,
                 int most_evaluations);

}  // namespace tools

#endif  // TOOLS_CALIBRATE_MINIMISE_H_
