// RMSNorm and LayerNorm, forward and backward: a block per row, the row in
// registers, so that each element is read once.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/calibrate/measure/cuda_check.h"
#include "tools/calibrate/measure/row_ops.h"
#include "tools/calibrate/measure/vectors.h"

namespace tools {
namespace {

constexpr int kThreads = 256;
constexpr int kVectors = 8;  // of 8 elements per thread
constexpr int64_t kWidest = kThreads * kVectors * 8;
constexpr float kEpsilon = static_cast<float>(kNormEpsilon);

// The row's elements that this thread holds: vector v begins at
// 8 (v kThreads + thread), as far as the row goes.
__device__ int Begin(int v) {
  return 8 * (v * kThreads + static_cast<int>(threadIdx.x));
}

__device__ float LoadRow(const Bf16* row, int width, float (&x)[kVectors][8]) {
  float sum = 0;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    if (Begin(v) >= width) break;
    LoadEight(row + Begin(v), x[v]);
#pragma unroll
    for (int e = 0; e < 8; ++e) sum += x[v][e];
  }
  return sum;
}

// Takes `mean` off the row; the sum of the squares of what is left.
__device__ float Centre(float mean, int width, float (&x)[kVectors][8]) {
  float squares = 0;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    if (Begin(v) >= width) break;
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      x[v][e] -= mean;
      squares += x[v][e] * x[v][e];
    }
  }
  return squares;
}

// kCentred: LayerNorm, with a bias; else RMSNorm.
template <bool kCentred>
__global__ void __launch_bounds__(kThreads)
    Norm(const Bf16* in, const Bf16* weight, const Bf16* bias, Bf16* out,
         int width) {
  const int64_t at = int64_t{blockIdx.x} * width;
  float x[kVectors][8];
  const float sum = LoadRow(in + at, width, x);
  const float mean = kCentred ? BlockSum<kThreads>(sum) / width : 0;
  const float squares = BlockSum<kThreads>(Centre(mean, width, x));
  const float inverse = rsqrtf(squares / width + kEpsilon);
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    if (Begin(v) >= width) break;
    float w[8], b[8];
    LoadEight(weight + Begin(v), w);
    if (kCentred) LoadEight(bias + Begin(v), b);
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      x[v][e] = x[v][e] * inverse * w[e] + (kCentred ? b[e] : 0);
    }
    StoreEight(x[v], out + at + Begin(v));
  }
}

// dx = (dy w - n mean(dy w n)) / deviation, with n the normalised row; for
// LayerNorm less its own mean. The weight's gradient gathers in shared memory
// over the rows of this block, each thread in its own columns.
template <bool kCentred>
__device__ void RowGradient(const Bf16* in, const Bf16* dy, const Bf16* weight,
                            Bf16* dx, int width, float* weight_gradient,
                            float* bias_gradient) {
  float x[kVectors][8];
  const float sum = LoadRow(in, width, x);
  const float mean = kCentred ? BlockSum<kThreads>(sum) / width : 0;
  const float squares = BlockSum<kThreads>(Centre(mean, width, x));
  const float inverse = rsqrtf(squares / width + kEpsilon);
  float along = 0, total = 0;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    if (Begin(v) >= width) break;
    float g[8], w[8];
    LoadEight(dy + Begin(v), g);
    LoadEight(weight + Begin(v), w);
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      const float normalised = x[v][e] * inverse;
      weight_gradient[Begin(v) + e] += g[e] * normalised;
      if (kCentred) bias_gradient[Begin(v) + e] += g[e];
      along += g[e] * w[e] * normalised;
      total += g[e] * w[e];
    }
  }
  along = BlockSum<kThreads>(along) / width;
  total = kCentred ? BlockSum<kThreads>(total) / width : 0;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    if (Begin(v) >= width) break;
    float g[8], w[8];
    LoadEight(dy + Begin(v), g);  // from L1 or L2: just read
    LoadEight(weight + Begin(v), w);
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      g[e] = inverse * (g[e] * w[e] - total - along * x[v][e] * inverse);
    }
    StoreEight(g, dx + Begin(v));
  }
}

// partial: per block `width` of the weight's gradient, then for LayerNorm as
// many of the bias's.
template <bool kCentred>
__global__ void __launch_bounds__(kThreads)
    NormBackward(const Bf16* in, const Bf16* dy, const Bf16* weight, Bf16* dx,
                 int rows, int width, float* partial) {
  extern __shared__ float gathered[];
  const int columns = kCentred ? 2 * width : width;
  for (int i = threadIdx.x; i < columns; i += kThreads) gathered[i] = 0;
  __syncthreads();
  for (int row = blockIdx.x; row < rows; row += gridDim.x) {
    const int64_t at = int64_t{row} * width;
    RowGradient<kCentred>(in + at, dy + at, weight, dx + at, width, gathered,
                          gathered + width);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < columns; i += kThreads) {
    partial[int64_t{blockIdx.x} * columns + i] = gathered[i];
  }
}

__global__ void __launch_bounds__(kThreads)
    AddUp(const float* partial, int parts, int columns, Bf16* gradient) {
  const int i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= columns) return;
  float sum = 0;
  for (int part = 0; part < parts; ++part) {
    sum += partial[int64_t{part} * columns + i];
  }
  gradient[i] = __float2bfloat16_rn(sum);
}

bool Launched() { return cudaGetLastError() == cudaSuccess; }

// The weight's gradient against sums over all rows, where those fit the host
// in good time; larger shapes run the same code.
std::string CheckWeightGradient(const PointwiseCase& c, const RowTensors& t,
                                const Bf16* gradient, Bench& bench) {
  if (c.rows * c.width > int64_t{1} << 21) return "";
  Row expected(static_cast<size_t>(c.width), 0.0);
  const Row ones(expected.size(), 1.0), zeros(expected.size(), 0.0);
  for (int64_t row = 0; row < c.rows; ++row) {
    const Row x = t.Read(t.in(0, 0), row), dy = t.Read(t.in(1, 0), row);
    const Row n = c.op == "layernorm_backward" ? LayerNorm(x, ones, zeros)
                                               : RmsNorm(x, ones);
    for (size_t i = 0; i < n.size(); ++i) expected[i] += dy[i] * n[i];
  }
  return Verdict(
      "weight gradient",
      RelativeError(ReadBack(gradient, c.width, "bf16", bench.stream),
                    expected),
      5e-3);
}

}  // namespace

Outcome MeasureNorm(const PointwiseCase& c, const Effort& effort,
                    Bench& bench) {
  if (c.width > kWidest) return Skipped("rows are wider than 16384");
  const bool centred = c.op == "layernorm";
  const RowTensors t(c, 1, 1, bench);
  const Bf16* weight = TakeWeights(c.width, 41, bench);
  const Bf16* bias = TakeWeights(c.width, 42, bench);
  const auto launch = [&](int run) {
    const auto rows = static_cast<unsigned>(c.rows);
    const auto width = static_cast<int>(c.width);
    if (centred) {
      Norm<true><<<rows, kThreads, 0, bench.stream>>>(
          t.in(0, run), weight, bias, t.out(0, run), width);
    } else {
      Norm<false><<<rows, kThreads, 0, bench.stream>>>(
          t.in(0, run), weight, bias, t.out(0, run), width);
    }
    return Launched();
  };
  return CheckedAndTimed(c, effort, bench, t, launch, [&](int64_t row) {
    const Row x = t.Read(t.in(0, 0), row), w = t.Read(weight, 0);
    return centred ? LayerNorm(x, w, t.Read(bias, 0)) : RmsNorm(x, w);
  });
}

Outcome MeasureNormBackward(const PointwiseCase& c, const Effort& effort,
                            Bench& bench) {
  if (c.width > kWidest) return Skipped("rows are wider than 16384");
  const bool centred = c.op == "layernorm_backward";
  const RowTensors t(c, 2, 1, bench);
  const Bf16* weight = TakeWeights(c.width, 41, bench);
  const int columns = static_cast<int>(c.width) * (centred ? 2 : 1);
  const int blocks = static_cast<int>(
      std::min<int64_t>(c.rows, 2 * bench.card.multiProcessorCount));
  auto* partial = bench.arena.Take<float>(int64_t{blocks} * columns);
  auto* gradient = bench.arena.Take<Bf16>(columns);
  const size_t shared = columns * sizeof(float);
  const auto kernel = centred ? NormBackward<true> : NormBackward<false>;
  CUDA_CHECK(cudaFuncSetAttribute(kernel,
                                  cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  static_cast<int>(shared)));
  const auto launch = [&](int run) {
    kernel<<<blocks, kThreads, shared, bench.stream>>>(
        t.in(0, run), t.in(1, run), weight, t.out(0, run),
        static_cast<int>(c.rows), static_cast<int>(c.width), partial);
    AddUp<<<(columns + kThreads - 1) / kThreads, kThreads, 0, bench.stream>>>(
        partial, blocks, columns, gradient);
    return Launched();
  };
  if (!bench.arena.fits()) return Skipped("does not fit in memory");
  launch(0);
  const std::string wrong = CheckWeightGradient(c, t, gradient, bench);
  if (!wrong.empty()) return Wrong(wrong);
  return CheckedAndTimed(c, effort, bench, t, launch, [&](int64_t row) {
    const Row x = t.Read(t.in(0, 0), row), w = t.Read(weight, 0),
              dy = t.Read(t.in(1, 0), row);
    return centred ? LayerNormGradient(x, w, dy) : RmsNormGradient(x, w, dy);
  });
}

}  // namespace tools
