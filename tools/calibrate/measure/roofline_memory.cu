// Bandwidth of device memory, of L2 and of shared memory.
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/calibrate/measure/cuda_check.h"
#include "tools/calibrate/measure/random.h"
#include "tools/calibrate/measure/roofline.h"
#include "tools/calibrate/measure/timing.h"

namespace tools {
namespace {

constexpr int kThreads = 512;
constexpr int kUnroll = 4;  // independent 16-byte accesses in flight per thread

__device__ float SumOf(float4 v) { return v.x + v.y + v.z + v.w; }

// 1 and a quarter of a normal number: sums do not cancel.
__global__ void __launch_bounds__(kThreads)
    FillNearOne(float* x, int64_t count) {
  const int64_t step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count;
       i += step) {
    x[i] = 1 + RandomNormal(3, i) / 4;
  }
}

// What Read is compared with.
__global__ void __launch_bounds__(kThreads)
    SumInDouble(const float* x, int64_t count, double* total) {
  const int64_t step = int64_t{gridDim.x} * kThreads;
  double sum = 0;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count;
       i += step) {
    sum += x[i];
  }
  for (int away = 16; away > 0; away /= 2) {
    sum += __shfl_down_sync(0xffffffff, sum, away);
  }
  if (threadIdx.x % 32 == 0) atomicAdd(total, sum);
}

// One atomic addition per warp.
__device__ void AddToBlock(float sum, float* block_sums) {
  for (int away = 16; away > 0; away /= 2) {
    sum += __shfl_down_sync(0xffffffff, sum, away);
  }
  if (threadIdx.x % 32 == 0) atomicAdd(block_sums + blockIdx.x, sum);
}

// Each thread adds up what it reads; per block one sum is written, so that no
// load is dead.
__global__ void __launch_bounds__(kThreads)
    Read(const float4* in, int64_t count, int passes, float* block_sums) {
  const int64_t step = int64_t{gridDim.x} * kThreads;
  const int64_t first = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  float sum = 0;
  for (int pass = 0; pass < passes; ++pass) {
    int64_t i = first;
    for (; i + (kUnroll - 1) * step < count; i += kUnroll * step) {
      float4 v[kUnroll];
#pragma unroll
      for (int u = 0; u < kUnroll; ++u) v[u] = __ldcg(in + i + u * step);
#pragma unroll
      for (int u = 0; u < kUnroll; ++u) sum += SumOf(v[u]);
    }
    for (; i < count; i += step) sum += SumOf(__ldcg(in + i));
  }
  AddToBlock(sum, block_sums);
}

__global__ void __launch_bounds__(kThreads) Write(float4* out, int64_t count) {
  const int64_t step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count;
       i += step) {
    const float value = static_cast<float>(i & 1023);
    out[i] = make_float4(value, value + 1, value + 2, value + 3);
  }
}

// out = a + scale b; without b a plain copy.
template <bool kTriad>
__global__ void __launch_bounds__(kThreads)
    Combine(const float4* a, const float4* b, float scale, float4* out,
            int64_t count) {
  const int64_t step = int64_t{gridDim.x} * kThreads;
  int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  for (; i < count; i += kUnroll * step) {
    float4 x[kUnroll], y[kUnroll];
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {
      if (i + u * step >= count) break;
      x[u] = a[i + u * step];
      if (kTriad) y[u] = b[i + u * step];
    }
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {
      if (i + u * step >= count) break;
      if (kTriad) {
        x[u].x = fmaf(scale, y[u].x, x[u].x);
        x[u].y = fmaf(scale, y[u].y, x[u].y);
        x[u].z = fmaf(scale, y[u].z, x[u].z);
        x[u].w = fmaf(scale, y[u].w, x[u].w);
      }
      out[i + u * step] = x[u];
    }
  }
}

// Every warp reads 16 bytes per lane, neighbours side by side: no two lanes of
// a quarter of a warp meet in a bank.
__global__ void __launch_bounds__(kThreads)
    ReadShared(int rounds, float* block_sums) {
  __shared__ float4 tile[2 * kThreads];
  tile[threadIdx.x] = make_float4(1, 0, 0, 0);
  tile[threadIdx.x + kThreads] = make_float4(0, 1, 0, 0);
  __syncthreads();
  float sum = 0;
  for (int round = 0; round < rounds; ++round) {
#pragma unroll 8
    for (int u = 0; u < 8; ++u) {
      const int at = (threadIdx.x + 32 * u) % (2 * kThreads);
      float4 v;
      const auto address =
          static_cast<unsigned>(__cvta_generic_to_shared(tile + at));
      asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];"
                   : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
                   : "r"(address));
      sum += v.x + v.y;
    }
  }
  AddToBlock(sum, block_sums);
}

int BlocksOf(const Bench& bench) {
  return bench.card.multiProcessorCount *
         (bench.card.maxThreadsPerMultiProcessor / kThreads);
}

double SumOfBlocks(const float* block_sums, int blocks, Bench& bench) {
  double sum = 0;
  for (const double s : ReadBack(block_sums, blocks, "fp32", bench.stream)) {
    sum += s;
  }
  return sum;
}

Outcome MeasureRead(const RooflineCase& c, int passes, const Effort& effort,
                    Bench& bench, const std::string& l2) {
  const int64_t count = c.bytes / 16;
  const int blocks = BlocksOf(bench);
  auto* in = bench.arena.Take<float4>(count);
  auto* sums = bench.arena.Take<float>(blocks);
  auto* reference = bench.arena.Take<double>(1);
  if (!bench.arena.fits()) return Skipped("does not fit in memory");
  FillNearOne<<<blocks, kThreads, 0, bench.stream>>>(
      reinterpret_cast<float*>(in), 4 * count);
  CUDA_CHECK(cudaMemsetAsync(reference, 0, sizeof(double), bench.stream));
  SumInDouble<<<blocks, kThreads, 0, bench.stream>>>(
      reinterpret_cast<const float*>(in), 4 * count, reference);
  const auto launch = [&](int) {
    Read<<<blocks, kThreads, 0, bench.stream>>>(in, count, passes, sums);
    return cudaGetLastError() == cudaSuccess;
  };
  CUDA_CHECK(cudaMemsetAsync(sums, 0, blocks * sizeof(float), bench.stream));
  launch(0);
  double expected = 0;
  CUDA_CHECK(cudaMemcpyAsync(&expected, reference, sizeof expected,
                             cudaMemcpyDeviceToHost, bench.stream));
  CUDA_CHECK(cudaStreamSynchronize(bench.stream));
  const double error =
      RelativeError({SumOfBlocks(sums, blocks, bench)}, {expected * passes});
  const std::string wrong = Verdict(c.kernel + ": sum", error, 1e-4);
  if (!wrong.empty()) return Wrong(wrong);
  Outcome outcome = Timed(c, bench, effort, launch, {"orrery-measure", "", l2});
  Timing& t = outcome.measured.timing;
  t.median_us /= passes;
  t.p10_us /= passes;
  t.p90_us /= passes;
  return outcome;
}

// out[i] of a, b and `scale`, checked on samples against double precision.
std::string CheckCombined(const float* a, const float* b, const float* out,
                          int64_t floats, double scale, Bench& bench) {
  constexpr int64_t kSample = 4096;
  for (const int64_t at : {int64_t{0}, floats / 2, floats - kSample}) {
    const auto x = ReadBack(a + at, kSample, "fp32", bench.stream);
    const auto y = ReadBack(b + at, kSample, "fp32", bench.stream);
    std::vector<double> expected;
    for (size_t i = 0; i < x.size(); ++i) {
      expected.push_back(x[i] + scale * y[i]);
    }
    const std::string wrong =
        Verdict("element " + std::to_string(at),
                RelativeError(ReadBack(out + at, kSample, "fp32", bench.stream),
                              expected),
                1e-6);
    if (!wrong.empty()) return wrong;
  }
  return "";
}

Outcome MeasureCombine(const RooflineCase& c, const Effort& effort,
                       Bench& bench) {
  const bool triad = c.kernel == "hbm_triad";
  const int64_t count = c.bytes / (triad ? 48 : 32);
  auto* a = bench.arena.Take<float4>(count);
  auto* b = bench.arena.Take<float4>(count);
  auto* out = bench.arena.Take<float4>(count);
  if (!bench.arena.fits()) return Skipped("does not fit in memory");
  FillRandom(a, 4 * count, "fp32", 1, 1, bench.stream);
  FillRandom(b, 4 * count, "fp32", 1, 2, bench.stream);
  Poison(out, count * sizeof(float4), bench.stream);
  const int blocks = BlocksOf(bench);
  const auto launch = [&](int) {
    if (triad) {
      Combine<true>
          <<<blocks, kThreads, 0, bench.stream>>>(a, b, 0.5f, out, count);
    } else {
      Combine<false>
          <<<blocks, kThreads, 0, bench.stream>>>(a, nullptr, 0, out, count);
    }
    return cudaGetLastError() == cudaSuccess;
  };
  launch(0);
  const std::string wrong = CheckCombined(
      reinterpret_cast<const float*>(a), reinterpret_cast<const float*>(b),
      reinterpret_cast<const float*>(out), 4 * count, triad ? 0.5 : 0, bench);
  if (!wrong.empty()) return Wrong(c.kernel + ": " + wrong);
  return Timed(c, bench, effort, launch);
}

Outcome MeasureWrite(const RooflineCase& c, const Effort& effort,
                     Bench& bench) {
  const int64_t count = c.bytes / 16;
  auto* out = bench.arena.Take<float4>(count);
  if (!bench.arena.fits()) return Skipped("does not fit in memory");
  Poison(out, count * sizeof(float4), bench.stream);
  const int blocks = BlocksOf(bench);
  const auto launch = [&](int) {
    Write<<<blocks, kThreads, 0, bench.stream>>>(out, count);
    return cudaGetLastError() == cudaSuccess;
  };
  launch(0);
  constexpr int64_t kSample = 1024;
  for (const int64_t at : {int64_t{0}, (count - kSample) / 1024 * 1024}) {
    std::vector<double> expected;
    for (int64_t i = 0; i < 4 * kSample; ++i) {
      expected.push_back(static_cast<double>(i / 4 % 1024 + i % 4));
    }
    const std::string wrong = Verdict(
        "hbm_write: element " + std::to_string(4 * at),
        RelativeError(ReadBack(out + at, 4 * kSample, "fp32", bench.stream),
                      expected),
        0);
    if (!wrong.empty()) return Wrong(wrong);
  }
  return Timed(c, bench, effort, launch);
}

}  // namespace

Outcome MeasureHbm(const RooflineCase& c, const Effort& effort, Bench& bench) {
  const int64_t l2 = bench.card.l2CacheSize;
  const std::string state = c.bytes > 4 * l2 ? "cold"
                            : c.bytes > l2   ? "partial"
                                             : "warm";
  Outcome outcome =
      c.kernel == "hbm_read"    ? MeasureRead(c, 1, effort, bench, state)
      : c.kernel == "hbm_write" ? MeasureWrite(c, effort, bench)
                                : MeasureCombine(c, effort, bench);
  outcome.measured.l2 = state;
  return outcome;
}

Outcome MeasureL2(const RooflineCase& c, const Effort& effort, Bench& bench) {
  // Passes within one kernel, so that its launch does not show.
  const auto passes =
      static_cast<int>(std::max<int64_t>(1, (int64_t{1} << 30) / c.bytes));
  Effort once = effort;
  once.runs = 1;
  once.samples = std::min(effort.samples, 11);
  return MeasureRead(c, passes, once, bench,
                     c.bytes > bench.card.l2CacheSize ? "partial" : "warm");
}

Outcome MeasureShared(const RooflineCase& c, const Effort& effort,
                      Bench& bench) {
  const int blocks = BlocksOf(bench);
  const int64_t per_round = int64_t{blocks} * kThreads * 8 * 16;
  const auto rounds = static_cast<int>(
      std::max<int64_t>(1, (c.bytes + per_round - 1) / per_round));
  // Many times the bytes asked for, that the launch does not show; the time is
  // of c.bytes.
  constexpr int kRepeats = 64;
  auto* sums = bench.arena.Take<float>(blocks);
  const auto launch = [&](int) {
    ReadShared<<<blocks, kThreads, 0, bench.stream>>>(rounds * kRepeats, sums);
    return cudaGetLastError() == cudaSuccess;
  };
  CUDA_CHECK(cudaMemsetAsync(sums, 0, blocks * sizeof(float), bench.stream));
  launch(0);
  // Each 16 bytes read hold a one in x or in y.
  const double expected =
      static_cast<double>(rounds) * kRepeats * 8.0 * kThreads * blocks;
  const std::string wrong = Verdict(
      "shared_read: sum",
      RelativeError({SumOfBlocks(sums, blocks, bench)}, {expected}), 1e-4);
  if (!wrong.empty()) return Wrong(wrong);
  Outcome outcome = Timed(c, bench, effort, launch, {"orrery-measure", "", ""});
  const double share = static_cast<double>(c.bytes) /
                       (static_cast<double>(per_round) * rounds * kRepeats);
  Timing& t = outcome.measured.timing;
  t.median_us *= share;
  t.p10_us *= share;
  t.p90_us *= share;
  return outcome;
}

}  // namespace tools
