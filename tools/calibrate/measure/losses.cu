// Softmax over rows, and cross-entropy over a vocabulary, forward and backward.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/calibrate/measure/cuda_check.h"
#include "tools/calibrate/measure/row_ops.h"
#include "tools/calibrate/measure/vectors.h"

namespace tools {
namespace {

constexpr int kThreads = 512;

// The largest of a row, and the sum of exp(x - largest), in one pass: each
// thread raises its own largest as it goes, then the block agrees on one.
struct MaxAndSum {
  float most, sum;
};
__device__ MaxAndSum Gather(const Bf16* row, int width) {
  float most = -INFINITY, sum = 0;
  for (int i = 8 * threadIdx.x; i < width; i += 8 * kThreads) {
    float x[8];
    LoadEight(row + i, x);
    float raised = most;
#pragma unroll
    for (const float v : x) raised = fmaxf(raised, v);
    sum *= __expf(most - raised);
    most = raised;
#pragma unroll
    for (const float v : x) sum += __expf(v - most);
  }
  const float all = BlockMax<kThreads>(most);
  const float part = most == -INFINITY ? 0 : sum * __expf(most - all);
  return {all, BlockSum<kThreads>(part)};
}

__global__ void __launch_bounds__(kThreads)
    SoftmaxRows(const Bf16* in, Bf16* out, int width) {
  const int64_t at = int64_t{blockIdx.x} * width;
  const MaxAndSum row = Gather(in + at, width);
  for (int i = 8 * threadIdx.x; i < width; i += 8 * kThreads) {
    float x[8];
    LoadEight(in + at + i, x);  // mostly from L2
#pragma unroll
    for (float& v : x) v = __expf(v - row.most) / row.sum;
    StoreEight(x, out + at + i);
  }
}

__device__ int LabelOf(int64_t row, int width) {
  return static_cast<int>((row * 7919 + 13) % width);
}

__global__ void __launch_bounds__(kThreads)
    Loss(const Bf16* logits, float* losses, float* log_sums, int width) {
  const int64_t at = int64_t{blockIdx.x} * width;
  const MaxAndSum row = Gather(logits + at, width);
  if (threadIdx.x == 0) {
    const float log_sum = row.most + logf(row.sum);
    log_sums[blockIdx.x] = log_sum;
    losses[blockIdx.x] =
        log_sum - AsFloat(logits[at + LabelOf(blockIdx.x, width)]);
  }
}

__global__ void __launch_bounds__(kThreads)
    LossGradient(const Bf16* logits, const float* log_sums, Bf16* gradient,
                 int width) {
  const int64_t at = int64_t{blockIdx.x} * width;
  const float log_sum = log_sums[blockIdx.x];
  const int label = LabelOf(blockIdx.x, width);
  for (int i = 8 * threadIdx.x; i < width; i += 8 * kThreads) {
    float x[8];
    LoadEight(logits + at + i, x);
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      x[e] = __expf(x[e] - log_sum) - (i + e == label ? 1.0f : 0.0f);
    }
    StoreEight(x, gradient + at + i);
  }
}

bool Launched() { return cudaGetLastError() == cudaSuccess; }

size_t LabelOnHost(int64_t row, int64_t width) {
  return static_cast<size_t>((row * 7919 + 13) % width);
}

std::string CheckLosses(const PointwiseCase& c, const RowTensors& t,
                        const float* losses, Bench& bench) {
  std::vector<double> result, expected;
  for (const int64_t row : {int64_t{0}, c.rows / 2, c.rows - 1}) {
    result.push_back(ReadBack(losses + row, 1, "fp32", bench.stream)[0]);
    expected.push_back(
        CrossEntropy(t.Read(t.in(0, 0), row), LabelOnHost(row, c.width)));
  }
  return Verdict("loss", RelativeError(result, expected), 1e-4);
}

// The gradient but for the label's, beside which all others are small.
std::string CheckOthers(const PointwiseCase& c, const RowTensors& t) {
  const int64_t row = c.rows - 1;
  const size_t label = LabelOnHost(row, c.width);
  Row expected = CrossEntropyGradient(t.Read(t.in(0, 0), row), label);
  Row result = t.Read(t.out(0, 0), row);
  expected[label] = result[label] = 0;
  return Verdict("gradient beside the label", RelativeError(result, expected),
                 5e-3);
}

}  // namespace

Outcome MeasureSoftmax(const PointwiseCase& c, const Effort& effort,
                       Bench& bench) {
  const RowTensors t(c, 1, 1, bench);
  const auto launch = [&](int run) {
    SoftmaxRows<<<static_cast<unsigned>(c.rows), kThreads, 0, bench.stream>>>(
        t.in(0, run), t.out(0, run), static_cast<int>(c.width));
    return Launched();
  };
  return CheckedAndTimed(c, effort, bench, t, launch, [&](int64_t row) {
    return Softmax(t.Read(t.in(0, 0), row));
  });
}

Outcome MeasureCrossEntropy(const PointwiseCase& c, const Effort& effort,
                            Bench& bench) {
  const bool backward = c.op == "cross_entropy_backward";
  const RowTensors t(c, 1, backward ? 1 : 0, bench);
  auto* losses = bench.arena.Take<float>(c.rows);
  auto* log_sums = bench.arena.Take<float>(c.rows);
  if (!bench.arena.fits()) return Skipped("does not fit in memory");
  const auto rows = static_cast<unsigned>(c.rows);
  const auto width = static_cast<int>(c.width);
  const auto forward = [&](int run) {
    Loss<<<rows, kThreads, 0, bench.stream>>>(t.in(0, run), losses, log_sums,
                                              width);
    return Launched();
  };
  Poison(losses, c.rows * sizeof(float), bench.stream);
  forward(0);
  const std::string wrong = CheckLosses(c, t, losses, bench);
  if (!wrong.empty()) return Wrong(wrong);
  if (!backward) {
    return Timed(c, bench, effort, forward, {"orrery-measure", "", t.l2()});
  }
  const auto launch = [&](int run) {
    LossGradient<<<rows, kThreads, 0, bench.stream>>>(t.in(0, run), log_sums,
                                                      t.out(0, run), width);
    return Launched();
  };
  launch(0);
  const std::string others = CheckOthers(c, t);
  if (!others.empty()) return Wrong(others);
  return CheckedAndTimed(c, effort, bench, t, launch, [&](int64_t row) {
    return CrossEntropyGradient(t.Read(t.in(0, 0), row),
                                LabelOnHost(row, c.width));
  });
}

}  // namespace tools
