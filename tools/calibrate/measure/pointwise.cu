// Element-wise kernels: residual add, SiLU * mul, GELU, rotary embedding,
// embedding look-up, and the two halves of FP8 quantisation.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tools/calibrate/measure/cuda_check.h"
#include "tools/calibrate/measure/families.h"
#include "tools/calibrate/measure/quantise.h"
#include "tools/calibrate/measure/row_ops.h"
#include "tools/calibrate/measure/vectors.h"

namespace tools {
namespace {

constexpr int kThreads = 256;
constexpr int kHeadDim = 128;       // of the rotary embedding
constexpr int kVocabulary = 32768;  // rows of the embedding's table

__global__ void __launch_bounds__(kThreads)
    Add(const Bf16* a, const Bf16* b, Bf16* out, int64_t eights) {
  const int64_t step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < eights;
       i += step) {
    float x[8], y[8];
    LoadEight(a + 8 * i, x);
    LoadEight(b + 8 * i, y);
#pragma unroll
    for (int e = 0; e < 8; ++e) x[e] += y[e];
    StoreEight(x, out + 8 * i);
  }
}

__global__ void __launch_bounds__(kThreads)
    GeluOf(const Bf16* a, Bf16* out, int64_t eights) {
  const int64_t step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < eights;
       i += step) {
    float x[8];
    LoadEight(a + 8 * i, x);
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      x[e] = 0.5f * x[e] * (1 + erff(x[e] * 0.70710678f));
    }
    StoreEight(x, out + 8 * i);
  }
}

// A row holds `width` gates, then as many values: the output of one GEMM.
__global__ void __launch_bounds__(kThreads)
    SiluMul(const Bf16* gate_and_up, Bf16* out, int64_t eights, int64_t width) {
  const int64_t step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < eights;
       i += step) {
    const int64_t row = 8 * i / width, column = 8 * i % width;
    const Bf16* gate = gate_and_up + row * 2 * width + column;
    float g[8], u[8];
    LoadEight(gate, g);
    LoadEight(gate + width, u);
#pragma unroll
    for (int e = 0; e < 8; ++e) g[e] = u[e] * g[e] / (1 + __expf(-g[e]));
    StoreEight(g, out + 8 * i);
  }
}

// cosines[row][i], then sines: the cache that models keep.
__global__ void FillTurns(float* turns, int64_t rows) {
  const int64_t row = blockIdx.x;
  const int i = threadIdx.x;
  const double angle =
      static_cast<double>(row) * pow(10000.0, -2.0 * i / double(kHeadDim));
  turns[row * kHeadDim + i] = static_cast<float>(cos(angle));
  turns[row * kHeadDim + kHeadDim / 2 + i] = static_cast<float>(sin(angle));
}

// Eight pairs per thread: elements i and i + 64 of a head.
__global__ void __launch_bounds__(kThreads)
    RotateHeads(const Bf16* x, const float* turns, Bf16* out, int64_t sixteens,
                int64_t width) {
  constexpr int kPerHead = kHeadDim / 16;
  const int64_t step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < sixteens;
       i += step) {
    const int in_head = static_cast<int>(i % kPerHead) * 8;
    const int64_t at = i / kPerHead * kHeadDim + in_head;
    const float* turn = turns + at / width * kHeadDim + in_head;
    float a[8], b[8];
    LoadEight(x + at, a);
    LoadEight(x + at + kHeadDim / 2, b);
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      const float cosine = turn[e], sine = turn[kHeadDim / 2 + e];
      const float first = a[e] * cosine - b[e] * sine;
      b[e] = b[e] * cosine + a[e] * sine;
      a[e] = first;
    }
    StoreEight(a, out + at);
    StoreEight(b, out + at + kHeadDim / 2);
  }
}

__global__ void FillTokens(int* tokens, int64_t rows) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < rows) {
    tokens[i] = static_cast<int>((i * 2654435761u >> 7) % kVocabulary);
  }
}

__global__ void __launch_bounds__(kThreads)
    LookUp(const Bf16* table, const int* tokens, Bf16* out, int64_t eights,
           int64_t width) {
  const int64_t step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < eights;
       i += step) {
    const int64_t row = 8 * i / width, column = 8 * i % width;
    *reinterpret_cast<uint4*>(out + 8 * i) =
        *reinterpret_cast<const uint4*>(table + tokens[row] * width + column);
  }
}

bool Launched() { return cudaGetLastError() == cudaSuccess; }

Outcome MeasureElementwise(const PointwiseCase& c, const Effort& effort,
                           Bench& bench) {
  const bool silu = c.op == "silu_mul", add = c.op == "add";
  const RowTensors t(c, add ? 2 : 1, 1, bench, silu ? 2 : 1);
  const int64_t eights = c.rows * c.width / 8;
  const int blocks = Blocks(bench, eights, kThreads);
  const auto launch = [&](int run) {
    if (add) {
      Add<<<blocks, kThreads, 0, bench.stream>>>(t.in(0, run), t.in(1, run),
                                                 t.out(0, run), eights);
    } else if (silu) {
      SiluMul<<<blocks, kThreads, 0, bench.stream>>>(
          t.in(0, run), t.out(0, run), eights, c.width);
    } else {
      GeluOf<<<blocks, kThreads, 0, bench.stream>>>(t.in(0, run), t.out(0, run),
                                                    eights);
    }
    return Launched();
  };
  return CheckedAndTimed(c, effort, bench, t, launch, [&](int64_t row) {
    Row x = t.Read(t.in(0, 0), row, silu ? 2 * c.width : c.width);
    if (add) {
      const Row y = t.Read(t.in(1, 0), row);
      for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
    } else if (silu) {
      const auto width = static_cast<size_t>(c.width);
      for (size_t i = 0; i < width; ++i) x[i] = Silu(x[i]) * x[width + i];
      x.resize(width);
    } else {
      for (double& v : x) v = Gelu(v);
    }
    return x;
  });
}

Outcome MeasureRotary(const PointwiseCase& c, const Effort& effort,
                      Bench& bench) {
  if (c.width % kHeadDim != 0) return Skipped("not whole heads of 128");
  const RowTensors t(c, 1, 1, bench);
  auto* turns = bench.arena.Take<float>(c.rows * kHeadDim);
  if (!bench.arena.fits()) return Skipped("does not fit in memory");
  FillTurns<<<static_cast<unsigned>(c.rows), kHeadDim / 2, 0, bench.stream>>>(
      turns, c.rows);
  const int64_t sixteens = c.rows * c.width / 16;
  const int blocks = Blocks(bench, sixteens, kThreads);
  const auto launch = [&](int run) {
    RotateHeads<<<blocks, kThreads, 0, bench.stream>>>(
        t.in(0, run), turns, t.out(0, run), sixteens, c.width);
    return Launched();
  };
  return CheckedAndTimed(c, effort, bench, t, launch, [&](int64_t row) {
    return Rotate(t.Read(t.in(0, 0), row), kHeadDim, static_cast<double>(row));
  });
}

Outcome MeasureEmbedding(const PointwiseCase& c, const Effort& effort,
                         Bench& bench) {
  const RowTensors t(c, 0, 1, bench);
  auto* tokens = bench.arena.Take<int>(c.rows);
  Bf16* table = TakeWeights(kVocabulary * c.width, 31, bench);
  if (!bench.arena.fits()) return Skipped("does not fit in memory");
  FillTokens<<<static_cast<unsigned>((c.rows + 255) / 256), 256, 0,
               bench.stream>>>(tokens, c.rows);
  const int64_t eights = c.rows * c.width / 8;
  const int blocks = Blocks(bench, eights, kThreads);
  const auto launch = [&](int run) {
    LookUp<<<blocks, kThreads, 0, bench.stream>>>(table, tokens, t.out(0, run),
                                                  eights, c.width);
    return Launched();
  };
  return CheckedAndTimed(c, effort, bench, t, launch, [&](int64_t row) {
    const auto token =
        static_cast<int64_t>(ReadBack(tokens + row, 1, "i32", bench.stream)[0]);
    return t.Read(table, token);
  });
}

// The halves of QuantisePerTensor (quantise.h) alone.
Outcome MeasureQuantise(const PointwiseCase& c, const Effort& effort,
                        Bench& bench) {
  const RowTensors t(c, 1, 1, bench);
  auto* amax = bench.arena.Take<float>(1);
  auto* scale = bench.arena.Take<float>(1);
  if (!bench.arena.fits()) return Skipped("does not fit in memory");
  const int64_t n = c.rows * c.width;
  const bool finds = c.op == "fp8_amax";
  const auto to = [&](int run) {
    return Quantised{amax, scale,
                     reinterpret_cast<__nv_fp8_e4m3*>(t.out(0, run))};
  };
  QuantisePerTensor(t.in(0, 0), n, to(0), bench);
  double largest = 0;
  const int64_t sample = std::min<int64_t>(n, 1 << 20);
  const Row x = ReadBack(t.in(0, 0), sample, "bf16", bench.stream);
  for (const double v : x) largest = std::max(largest, std::fabs(v));
  const double found = ReadBack(amax, 1, "fp32", bench.stream)[0];
  // The sample is part of the tensor, whose values are below 3.5.
  if (found < largest || found > 3.5 || (sample == n && found != largest)) {
    return Wrong("amax " + std::to_string(found) + ", reference " +
                 std::to_string(largest));
  }
  Row values = ReadBack(to(0).values, sample, "fp8", bench.stream);
  for (double& v : values) v *= found / kLargestFp8;
  const std::string wrong =
      Verdict("conversion", RelativeError(values, x), 4e-2);
  if (!wrong.empty()) return Wrong(wrong);
  return Timed(c, bench, effort,
               [&](int run) {
                 return finds ? RaiseAmax(t.in(0, run), n, amax, bench)
                              : ConvertToFp8(t.in(0, run), n, to(run), bench);
               },
               {"orrery-measure", "", t.l2()});
}

constexpr std::pair<const char*, PointwiseMeasure> kOps[] = {
    {"add", MeasureElementwise},
    {"silu_mul", MeasureElementwise},
    {"gelu", MeasureElementwise},
    {"rope", MeasureRotary},
    {"embedding", MeasureEmbedding},
    {"fp8_amax", MeasureQuantise},
    {"fp8_quant_static", MeasureQuantise},
    {"rmsnorm", MeasureNorm},
    {"layernorm", MeasureNorm},
    {"rmsnorm_backward", MeasureNormBackward},
    {"layernorm_backward", MeasureNormBackward},
    {"softmax", MeasureSoftmax},
    {"cross_entropy", MeasureCrossEntropy},
    {"cross_entropy_backward", MeasureCrossEntropy},
    {"adam", MeasureAdam}};

}  // namespace

Outcome MeasurePointwise(const PointwiseCase& c, const Effort& effort,
                         Bench& bench) {
  if (c.dtype != "bf16") return Skipped("these kernels are of BF16");
  if (c.width % 8 != 0) return Skipped("the width is not a multiple of 8");
  for (const auto& [name, measure] : kOps) {
    if (c.op == name) return measure(c, effort, bench);
  }
  return Skipped("no kernel has this name");
}

}  // namespace tools
