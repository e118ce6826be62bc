#include "tools/calibrate/reference.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace tools {
namespace {

Row RowOf(const Row& matrix, size_t row, size_t width) {
  const auto begin = matrix.begin() + static_cast<std::ptrdiff_t>(row * width);
  return Row(begin, begin + static_cast<std::ptrdiff_t>(width));
}

Row Scores(const Row& query, const Row& keys, double scale) {
  const size_t dim = query.size();
  Row scores;
  for (size_t j = 0; j < keys.size() / dim; ++j) {
    double sum = 0;
    for (size_t d = 0; d < dim; ++d) sum += query[d] * keys[j * dim + d];
    scores.push_back(scale * sum);
  }
  return scores;
}

double LogSum(const Row& scores) {
  const double most = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (const double s : scores) sum += std::exp(s - most);
  return most + std::log(sum);
}

double Mean(const Row& x) {
  double sum = 0;
  for (const double v : x) sum += v;
  return sum / static_cast<double>(x.size());
}

// x with its mean taken off, over the root of its mean square.
struct Normalised {
  Row x;
  double inverse;
};
Normalised Normalise(Row x) {
  const double inverse =
      1 / std::sqrt(Dot(x, x) / static_cast<double>(x.size()) + kNormEpsilon);
  for (double& v : x) v *= inverse;
  return {x, inverse};
}
Row Centred(Row x) {
  const double mean = Mean(x);
  for (double& v : x) v -= mean;
  return x;
}
Row Times(Row a, const Row& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] *= b[i];
  return a;
}

}  // namespace

double Dot(const Row& a, const Row& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

Attended AttendRow(const Row& query, const Row& keys, const Row& values,
                   double scale) {
  const Row scores = Scores(query, keys, scale);
  const double log_sum = LogSum(scores);
  const size_t dim = values.size() / scores.size();
  Row out(dim, 0.0);
  for (size_t j = 0; j < scores.size(); ++j) {
    const double weight = std::exp(scores[j] - log_sum);
    for (size_t d = 0; d < dim; ++d) out[d] += weight * values[j * dim + d];
  }
  return {out, log_sum};
}

Row AttendRowGradient(const Row& query, const Row& keys, const Row& values,
                      double scale, const Row& out_gradient) {
  const Row scores = Scores(query, keys, scale);
  const Attended attended = AttendRow(query, keys, values, scale);
  const double mean = Dot(attended.out, out_gradient);
  const size_t dim = query.size();
  Row gradient(dim, 0.0);
  for (size_t j = 0; j < scores.size(); ++j) {
    const double weight = std::exp(scores[j] - attended.log_sum);
    const double change =
        weight * (Dot(RowOf(values, j, dim), out_gradient) - mean);
    for (size_t d = 0; d < dim; ++d) {
      gradient[d] += scale * change * keys[j * dim + d];
    }
  }
  return gradient;
}

void AddKeyGradient(const Row& query, const Row& key, const Row& value,
                    double scale, const Row& out, double log_sum,
                    const Row& out_gradient, KeyGradient& gradient) {
  const double weight = std::exp(scale * Dot(query, key) - log_sum);
  const double change =
      weight * (Dot(value, out_gradient) - Dot(out, out_gradient));
  gradient.key.resize(key.size());
  gradient.value.resize(value.size());
  for (size_t d = 0; d < key.size(); ++d) {
    gradient.key[d] += scale * change * query[d];
    gradient.value[d] += weight * out_gradient[d];
  }
}

Row RmsNorm(const Row& x, const Row& weight) {
  return Times(Normalise(x).x, weight);
}

Row LayerNorm(const Row& x, const Row& weight, const Row& bias) {
  Row y = RmsNorm(Centred(x), weight);
  for (size_t i = 0; i < y.size(); ++i) y[i] += bias[i];
  return y;
}

Row RmsNormGradient(const Row& x, const Row& weight, const Row& dy) {
  const Normalised n = Normalise(x);
  const Row weighted = Times(dy, weight);
  const double along = Dot(weighted, n.x) / static_cast<double>(x.size());
  Row dx;
  for (size_t i = 0; i < x.size(); ++i) {
    dx.push_back(n.inverse * (weighted[i] - along * n.x[i]));
  }
  return dx;
}

Row LayerNormGradient(const Row& x, const Row& weight, const Row& dy) {
  return Centred(RmsNormGradient(Centred(x), weight, dy));
}

Row Softmax(const Row& x) {
  const double log_sum = LogSum(x);
  Row y;
  for (const double v : x) y.push_back(std::exp(v - log_sum));
  return y;
}

double Silu(double x) { return x / (1 + std::exp(-x)); }
double Gelu(double x) { return x / 2 * (1 + std::erf(x / std::sqrt(2.0))); }

Row Rotate(const Row& x, size_t head_dim, double position) {
  Row y = x;
  const size_t half = head_dim / 2;
  for (size_t head = 0; head < x.size(); head += head_dim) {
    for (size_t i = 0; i < half; ++i) {
      const double angle =
          position * std::pow(10000.0, -2.0 * static_cast<double>(i) /
                                           static_cast<double>(head_dim));
      const double a = x[head + i], b = x[head + i + half];
      y[head + i] = a * std::cos(angle) - b * std::sin(angle);
      y[head + i + half] = b * std::cos(angle) + a * std::sin(angle);
    }
  }
  return y;
}

double CrossEntropy(const Row& x, size_t label) { return LogSum(x) - x[label]; }

Row CrossEntropyGradient(const Row& x, size_t label) {
  Row gradient = Softmax(x);
  gradient[label] -= 1;
  return gradient;
}

AdamState AdamStep(const AdamState& state, double gradient,
                   const AdamRates& rates, int step) {
  AdamState next;
  next.first = rates.beta1 * state.first + (1 - rates.beta1) * gradient;
  next.second =
      rates.beta2 * state.second + (1 - rates.beta2) * gradient * gradient;
  const double first = next.first / (1 - std::pow(rates.beta1, step));
  const double second = next.second / (1 - std::pow(rates.beta2, step));
  next.weight = state.weight * (1 - rates.rate * rates.decay) -
                rates.rate * first / (std::sqrt(second) + rates.epsilon);
  return next;
}

}  // namespace tools
