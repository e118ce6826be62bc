// AdamW over many tensors in one kernel: FP32 master weights and moments, BF16
// gradients in, BF16 weights out.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "tools/calibrate/measure/cuda_check.h"
#include "tools/calibrate/measure/row_ops.h"
#include "tools/calibrate/measure/vectors.h"

namespace tools {
namespace {

constexpr int kThreads = 256;
constexpr int kStep = 7;  // of training, for the corrections

struct AdamTensor {
  float *weight, *first, *second;
  const Bf16* gradient;
  Bf16* narrow_weight;
  int64_t elements;  // a multiple of 4
};

struct AdamFactors {
  float keep, rate, beta1, beta2, epsilon;
  float first_correction, second_correction;
};

__device__ void Step(const AdamFactors& f, float g, float& w, float& m,
                     float& v) {
  m = f.beta1 * m + (1 - f.beta1) * g;
  v = f.beta2 * v + (1 - f.beta2) * g * g;
  w = w * f.keep - f.rate * (m * f.first_correction) /
                       (sqrtf(v * f.second_correction) + f.epsilon);
}

// blockIdx.y is the tensor; four elements at a time.
__global__ void __launch_bounds__(kThreads)
    Adam(const AdamTensor* tensors, AdamFactors f) {
  const AdamTensor t = tensors[blockIdx.y];
  const int64_t step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
       i < t.elements / 4; i += step) {
    float4 w = reinterpret_cast<float4*>(t.weight)[i];
    float4 m = reinterpret_cast<float4*>(t.first)[i];
    float4 v = reinterpret_cast<float4*>(t.second)[i];
    const uint2 raw = reinterpret_cast<const uint2*>(t.gradient)[i];
    Bf16 g[4];
    memcpy(g, &raw, sizeof raw);
    Step(f, AsFloat(g[0]), w.x, m.x, v.x);
    Step(f, AsFloat(g[1]), w.y, m.y, v.y);
    Step(f, AsFloat(g[2]), w.z, m.z, v.z);
    Step(f, AsFloat(g[3]), w.w, m.w, v.w);
    reinterpret_cast<float4*>(t.weight)[i] = w;
    reinterpret_cast<float4*>(t.first)[i] = m;
    reinterpret_cast<float4*>(t.second)[i] = v;
    const Bf16 out[4] = {__float2bfloat16_rn(w.x), __float2bfloat16_rn(w.y),
                         __float2bfloat16_rn(w.z), __float2bfloat16_rn(w.w)};
    uint2 narrow;
    memcpy(&narrow, out, sizeof narrow);
    reinterpret_cast<uint2*>(t.narrow_weight)[i] = narrow;
  }
}

__global__ void Square(float* x, int64_t n) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < n) x[i] *= x[i];
}

AdamFactors FactorsOf(const AdamRates& r) {
  const auto correction = [](double beta) {
    return static_cast<float>(1 / (1 - std::pow(beta, kStep)));
  };
  return {static_cast<float>(1 - r.rate * r.decay),
          static_cast<float>(r.rate),
          static_cast<float>(r.beta1),
          static_cast<float>(r.beta2),
          static_cast<float>(r.epsilon),
          correction(r.beta1),
          correction(r.beta2)};
}

std::vector<AdamTensor> MakeTensors(const PointwiseCase& c, Bench& bench) {
  std::vector<AdamTensor> tensors;
  Arena& arena = bench.arena;
  const int64_t n = c.width;
  for (int64_t i = 0; i < c.rows; ++i) {
    auto* gradient = arena.Take<Bf16>(n);
    AdamTensor t{arena.Take<float>(n), arena.Take<float>(n),
                 arena.Take<float>(n), gradient,
                 arena.Take<Bf16>(n),  n};
    if (!arena.fits()) return {};
    const auto seed = static_cast<uint64_t>(10 * i);
    FillRandom(t.weight, n, "fp32", 0.02, seed + 1, bench.stream);
    FillRandom(t.first, n, "fp32", 0.01, seed + 2, bench.stream);
    FillRandom(t.second, n, "fp32", 0.01, seed + 3, bench.stream);
    Square<<<static_cast<unsigned>((n + 255) / 256), 256, 0, bench.stream>>>(
        t.second, n);
    FillRandom(gradient, n, "bf16", 0.01, seed + 4, bench.stream);
    Poison(t.narrow_weight, n * sizeof(Bf16), bench.stream);
    tensors.push_back(t);
  }
  return tensors;
}

// The first elements of a tensor, as they are.
struct AdamSample {
  Row weight, first, second, gradient;
};
AdamSample Read(const AdamTensor& t, Bench& bench) {
  const int64_t n = std::min<int64_t>(t.elements, 4096);
  return {ReadBack(t.weight, n, "fp32", bench.stream),
          ReadBack(t.first, n, "fp32", bench.stream),
          ReadBack(t.second, n, "fp32", bench.stream),
          ReadBack(t.gradient, n, "bf16", bench.stream)};
}

std::string CheckStep(const AdamSample& before, const AdamTensor& t,
                      const AdamRates& rates, Bench& bench) {
  const AdamSample after = Read(t, bench);
  Row change, expected_change, first, second, weight;
  for (size_t i = 0; i < before.weight.size(); ++i) {
    const AdamState next =
        AdamStep({before.weight[i], before.first[i], before.second[i]},
                 before.gradient[i], rates, kStep);
    change.push_back(after.weight[i] - before.weight[i]);
    expected_change.push_back(next.weight - before.weight[i]);
    first.push_back(next.first);
    second.push_back(next.second);
    weight.push_back(next.weight);
  }
  const Row narrow =
      ReadBack(t.narrow_weight, static_cast<int64_t>(weight.size()), "bf16",
               bench.stream);
  std::string wrong =
      Verdict("step", RelativeError(change, expected_change), 1e-4);
  if (wrong.empty()) {
    wrong = Verdict("first moment", RelativeError(after.first, first), 1e-5);
  }
  if (wrong.empty()) {
    wrong = Verdict("second moment", RelativeError(after.second, second), 1e-5);
  }
  if (wrong.empty()) {
    wrong = Verdict("BF16 weight", RelativeError(narrow, weight), 5e-3);
  }
  return wrong;
}

}  // namespace

Outcome MeasureAdam(const PointwiseCase& c, const Effort& effort,
                    Bench& bench) {
  auto* list = bench.arena.Take<AdamTensor>(c.rows);
  const std::vector<AdamTensor> tensors = MakeTensors(c, bench);
  if (!bench.arena.fits()) return Skipped("does not fit in memory");
  CUDA_CHECK(cudaMemcpyAsync(list, tensors.data(),
                             tensors.size() * sizeof(AdamTensor),
                             cudaMemcpyHostToDevice, bench.stream));
  CUDA_CHECK(cudaStreamSynchronize(bench.stream));
  const AdamRates rates;
  const AdamFactors factors = FactorsOf(rates);
  const dim3 grid(
      static_cast<unsigned>(std::max<int64_t>(
          1, Blocks(bench, c.rows * c.width / 4, kThreads) / c.rows)),
      static_cast<unsigned>(c.rows));
  const auto launch = [&](int) {
    Adam<<<grid, kThreads, 0, bench.stream>>>(list, factors);
    return cudaGetLastError() == cudaSuccess;
  };
  const AdamSample first = Read(tensors.front(), bench);
  const AdamSample last = Read(tensors.back(), bench);
  launch(0);
  for (const bool front : {true, false}) {
    const std::string wrong =
        CheckStep(front ? first : last,
                  front ? tensors.front() : tensors.back(), rates, bench);
    if (!wrong.empty()) return Wrong(wrong);
  }
  const double bytes = WorkOf(c).bytes;
  return Timed(c, bench, effort, launch,
               {"orrery-measure", "",
                bytes > 2.0 * bench.card.l2CacheSize ? "cold" : "warm"});
}

}  // namespace tools
