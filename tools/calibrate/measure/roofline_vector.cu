// FP32 fused multiply-adds and base-2 exponentials: arithmetic in registers.
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/calibrate/measure/cuda_check.h"
#include "tools/calibrate/measure/roofline.h"
#include "tools/calibrate/measure/timing.h"

namespace tools {
namespace {

constexpr int kThreads = 256, kBlocksPerSm = 8;
constexpr int kChains = 8;     // independent results per thread
constexpr int kUnrolled = 16;  // steps of each chain per round

// x <- x a + b, with a below 1: x tends to b / (1 - a).
__global__ void __launch_bounds__(kThreads)
    Fma(int rounds, float a, float b, float* out) {
  float x[kChains];
#pragma unroll
  for (int c = 0; c < kChains; ++c) x[c] = static_cast<float>(c);
  for (int round = 0; round < rounds; ++round) {
#pragma unroll
    for (int step = 0; step < kUnrolled; ++step) {
#pragma unroll
      for (int c = 0; c < kChains; ++c) x[c] = fmaf(x[c], a, b);
    }
  }
  float sum = 0;
#pragma unroll
  for (int c = 0; c < kChains; ++c) sum += x[c];
  out[blockIdx.x * kThreads + threadIdx.x] = sum;
}

__device__ float Exp2(float x) {
  float y;
  asm volatile("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// x <- 2^-x. The sign is part of the instruction or one more that overlaps.
__global__ void __launch_bounds__(kThreads)
    Exponential(int rounds, float start, float* out) {
  float x[kChains];
#pragma unroll
  for (int c = 0; c < kChains; ++c) x[c] = start * static_cast<float>(c + 1);
  for (int round = 0; round < rounds; ++round) {
#pragma unroll
    for (int step = 0; step < kUnrolled; ++step) {
#pragma unroll
      for (int c = 0; c < kChains; ++c) x[c] = Exp2(-x[c]);
    }
  }
  float sum = 0;
#pragma unroll
  for (int c = 0; c < kChains; ++c) sum += x[c];
  out[blockIdx.x * kThreads + threadIdx.x] = sum;
}

struct Grid {
  int blocks, rounds;
  int64_t operations;  // of all threads, chains and steps
};
Grid GridOf(const Bench& bench, double wanted_operations) {
  Grid grid;
  grid.blocks = bench.card.multiProcessorCount * kBlocksPerSm;
  const int64_t per_round =
      int64_t{grid.blocks} * kThreads * kChains * kUnrolled;
  grid.rounds = static_cast<int>(std::max(
      1.0, std::ceil(wanted_operations / static_cast<double>(per_round))));
  grid.operations = per_round * grid.rounds;
  return grid;
}

// The time of the work that the case counts.
void Scale(double share, Outcome& outcome) {
  Timing& t = outcome.measured.timing;
  t.median_us *= share;
  t.p10_us *= share;
  t.p90_us *= share;
}

std::string CheckAll(const std::string& name, double expected, const float* out,
                     int64_t threads, double tolerance, Bench& bench) {
  const std::vector<double> sums = ReadBack(out, threads, "fp32", bench.stream);
  const std::vector<double> reference(sums.size(), expected);
  return Verdict(name + ": result", RelativeError(sums, reference), tolerance);
}

}  // namespace

Outcome MeasureFma(const RooflineCase& c, const Effort& effort, Bench& bench) {
  const double flops = WorkOf(c).flops;
  const Grid grid = GridOf(bench, flops / 2);
  const int64_t threads = int64_t{grid.blocks} * kThreads;
  auto* out = bench.arena.Take<float>(threads);
  const float a = 0.5f, b = 0.25f;
  const auto launch = [&](int) {
    Fma<<<grid.blocks, kThreads, 0, bench.stream>>>(grid.rounds, a, b, out);
    return cudaGetLastError() == cudaSuccess;
  };
  Poison(out, threads * sizeof(float), bench.stream);
  launch(0);
  // After many halvings every chain is b / (1 - a) = 0.5.
  const std::string wrong =
      CheckAll(c.kernel, kChains * 0.5, out, threads, 1e-5, bench);
  if (!wrong.empty()) return Wrong(wrong);
  Outcome outcome = Timed(c, bench, effort, launch, {"orrery-measure", "", ""});
  Scale(flops / (2.0 * static_cast<double>(grid.operations)), outcome);
  return outcome;
}

Outcome MeasureExp2(const RooflineCase& c, const Effort& effort, Bench& bench) {
  const double count = WorkOf(c).flops;
  const Grid grid = GridOf(bench, count);
  const int64_t threads = int64_t{grid.blocks} * kThreads;
  auto* out = bench.arena.Take<float>(threads);
  const auto launch = [&](int) {
    Exponential<<<grid.blocks, kThreads, 0, bench.stream>>>(grid.rounds, 0.125f,
                                                            out);
    return cudaGetLastError() == cudaSuccess;
  };
  Poison(out, threads * sizeof(float), bench.stream);
  launch(0);
  // x = 2^-x has one solution, 0.641185744505: every chain tends to it.
  const std::string wrong =
      CheckAll(c.kernel, kChains * 0.641185744505, out, threads, 1e-5, bench);
  if (!wrong.empty()) return Wrong(wrong);
  Outcome outcome = Timed(c, bench, effort, launch, {"orrery-measure", "", ""});
  Scale(count / static_cast<double>(grid.operations), outcome);
  return outcome;
}

}  // namespace tools
