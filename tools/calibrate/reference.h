// What the measured kernels compute, in double precision and in the plainest
// way: the check of each before it is timed.
//
//   AttendRow({1, 0}, {1, 0, 0, 1}, {3, 4, 5, 6}, 1.0)
//       // weights e/(e+1) and 1/(e+1): out {3.54, 4.54}, log_sum 1.313
//
// Matrices lie by rows. To add one: the function here, a case worked by hand in
// tests/tools/calibrate/reference_test.cc.
#ifndef TOOLS_CALIBRATE_REFERENCE_H_
#define TOOLS_CALIBRATE_REFERENCE_H_

#include <cstddef>
#include <vector>

namespace tools {

using Row = std::vector<double>;

// REQUIRES, here and below: the sizes fit each other.
double Dot(const Row& a, const Row& b);

// ---- Attention -----------------------------------------------------------

// One query over keys and values of n rows x q.size().
struct Attended {
  Row out;
  double log_sum = 0;  // log of the sum of exp(scale q.k)
};
Attended AttendRow(const Row& query, const Row& keys, const Row& values,
                   double scale);

// The gradient of that query, given the gradient of its output.
Row AttendRowGradient(const Row& query, const Row& keys, const Row& values,
                      double scale, const Row& out_gradient);

// What one query adds to the gradients of one key and its value.
struct KeyGradient {
  Row key, value;
};
void AddKeyGradient(const Row& query, const Row& key, const Row& value,
                    double scale, const Row& out, double log_sum,
                    const Row& out_gradient, KeyGradient& gradient);

// ---- Rows ----------------------------------------------------------------

constexpr double kNormEpsilon = 1e-5;

Row RmsNorm(const Row& x, const Row& weight);
Row LayerNorm(const Row& x, const Row& weight, const Row& bias);
// Gradients of x; those of the weight are sums over rows of
// dy * x / rms, or dy * (x - mean) / deviation.
Row RmsNormGradient(const Row& x, const Row& weight, const Row& dy);
Row LayerNormGradient(const Row& x, const Row& weight, const Row& dy);
Row Softmax(const Row& x);
double Silu(double x);
// With erf, as PyTorch's default.
double Gelu(double x);
// Pairs (i, i + n/2) turned by position / 10000^(2i/n), heads of `head_dim`.
Row Rotate(const Row& x, size_t head_dim, double position);
// -log softmax(x)[label]
double CrossEntropy(const Row& x, size_t label);
Row CrossEntropyGradient(const Row& x, size_t label);

// ---- Adam ----------------------------------------------------------------

struct AdamState {
  double weight = 0, first = 0, second = 0;
};
struct AdamRates {
  double rate = 1e-3, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, decay = 0.1;
};
// AdamW (Loshchilov and Hutter 2019) at step `step`, from 1.
AdamState AdamStep(const AdamState& state, double gradient,
                   const AdamRates& rates, int step);

}  // namespace tools

#endif  // TOOLS_CALIBRATE_REFERENCE_H_
