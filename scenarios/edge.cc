#include "scenarios/edge.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace scenarios {
namespace {

double StepUp(const EdgeSearch& s, double x) {
  double next = x * s.growth;
  if (s.whole) next = std::max(x + 1, std::round(next));
  return std::min(next, s.most);
}

double StepDown(const EdgeSearch& s, double x) {
  double next = x / s.growth;
  if (s.whole) next = std::min(x - 1, std::round(next));
  return std::max(next, s.least);
}

// Until both sides are known, or there is no other side.
Edge Bracket(const EdgeSearch& s, absl::FunctionRef<Side(double)> side) {
  Edge edge;
  double x = s.start;
  const Side first = side(x);
  const bool up = first == Side::kBelow;
  (up ? edge.below : edge.above) = x;
  if (first == Side::kNowhere) return edge;
  while (up ? x < s.most : x > s.least) {
    x = up ? StepUp(s, x) : StepDown(s, x);
    const Side found = side(x);
    if (found == Side::kNowhere) {
      (up ? edge.below : edge.above) = x;
      return edge;
    }
    (found == Side::kBelow ? edge.below : edge.above) = x;
    if (edge.below && edge.above) return edge;
  }
  return edge;
}

}  // namespace

Edge FindEdge(const EdgeSearch& s, absl::FunctionRef<Side(double)> side) {
  assert(0 < s.least && s.least <= s.start && s.start <= s.most);
  Edge edge = Bracket(s, side);
  if (!edge.below || !edge.above) return edge;
  double low = *edge.below, high = *edge.above;
  while (high > low * (1 + s.tolerance) && (!s.whole || high - low > 1.5)) {
    double middle = std::sqrt(low * high);
    if (s.whole) middle = std::clamp(std::round(middle), low + 1, high - 1);
    (side(middle) == Side::kBelow ? low : high) = middle;
  }
  return {low, high};
}

}  // namespace scenarios
