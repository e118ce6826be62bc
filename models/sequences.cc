#include "models/sequences.h"

#include <algorithm>

namespace models {
namespace {

// The sum over the sequences of `f(tokens)`, over the sum of their shares.
template <class F>
double Average(const Sequences& s, F f) {
  double sum = 0, shares = 0;
  for (size_t i = 0; i < s.lengths.size(); ++i) {
    const double share = s.shares.empty() ? 1 : s.shares[i];
    sum += share * f(static_cast<double>(s.lengths[i]));
    shares += share;
  }
  return sum / shares;
}

}  // namespace

double Sequences::Mean() const {
  return Average(*this, [](double tokens) { return tokens; });
}

int64_t Sequences::Longest() const {
  return *std::max_element(lengths.begin(), lengths.end());
}

double Sequences::Keys() const {
  return Average(*this, [](double tokens) { return tokens * tokens; }) / Mean();
}

double Sequences::VisibleKeys(int64_t window) const {
  // Query i sees min(i, w) keys: n·w less the corner of w·(w - 1)/2.
  const auto pairs = [&](double n) {
    const double w =
        window > 0 ? std::min(n, static_cast<double>(window)) : n;
    return n * w - w * (w - 1) / 2;
  };
  return Average(*this, pairs) / Mean();
}

double Sequences::Useful(int64_t row_tokens) const {
  if (!given()) return 1;
  return packed ? fill : Mean() / static_cast<double>(row_tokens);
}

}  // namespace models
