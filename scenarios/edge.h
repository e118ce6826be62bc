// Where a verdict turns, by steps that grow and then halve.
//
//   Edge e = FindEdge({.start = 4, .tolerance = 0.01}, [&](double load) {
//     return Meets(load) ? Side::kBelow : Side::kAbove;
//   });
//   *e.below;  // 12.4: the highest found to be below
//   *e.above;  // 12.5: the lowest found to be above
#ifndef SCENARIOS_EDGE_H_
#define SCENARIOS_EDGE_H_

#include <cstdint>
#include <optional>

#include "absl/functional/function_ref.h"

namespace scenarios {

enum class Side : uint8_t {
  kBelow,
  kAbove,
  kNowhere,  // no number has the other verdict: stop
};

struct EdgeSearch {
  double start = 1, least = 0, most = 0;  // 0 < least <= start <= most
  double growth = 2;        // > 1, of the first steps
  double tolerance = 0.01;  // above / below - 1, at most
  bool whole = false;       // numbers without fractions, whose last step is 1
};

struct Edge {
  std::optional<double> below, above;
};

// REQUIRES: `side` is monotone; where it is not, one of its turns is found.
// A kNowhere of a number that steps down have reached counts as above, one that
// steps up have as below.
Edge FindEdge(const EdgeSearch& search, absl::FunctionRef<Side(double)> side);

}  // namespace scenarios

#endif  // SCENARIOS_EDGE_H_
