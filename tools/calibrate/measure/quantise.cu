#include <cstring>

#include "tools/calibrate/measure/quantise.h"
#include "tools/calibrate/measure/vectors.h"

namespace tools {
namespace {

constexpr int kThreads = 256;

// Of numbers not below 0, the order of floats is that of their bits.
__global__ void __launch_bounds__(kThreads)
    Amax(const __nv_bfloat16* x, int64_t n, float* amax) {
  const int64_t step = int64_t{gridDim.x} * kThreads * 8;
  float most = 0;
  for (int64_t i = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * 8; i < n;
       i += step) {
    float v[8];
    LoadEight(x + i, v);
#pragma unroll
    for (const float value : v) most = fmaxf(most, fabsf(value));
  }
  most = BlockMax<kThreads>(most);
  if (threadIdx.x == 0) {
    atomicMax(reinterpret_cast<unsigned*>(amax), __float_as_uint(most));
  }
}

__global__ void __launch_bounds__(kThreads)
    Convert(const __nv_bfloat16* x, int64_t n, Quantised to) {
  const float amax = fmaxf(*to.amax, 1e-12f);
  if (blockIdx.x == 0 && threadIdx.x == 0) *to.scale = amax / kLargestFp8;
  const float inverse = kLargestFp8 / amax;
  const int64_t step = int64_t{gridDim.x} * kThreads * 8;
  for (int64_t i = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * 8; i < n;
       i += step) {
    float v[8];
    LoadEight(x + i, v);
    __nv_fp8_e4m3 values[8];
#pragma unroll
    for (int e = 0; e < 8; ++e) values[e] = __nv_fp8_e4m3(v[e] * inverse);
    uint2 raw;
    memcpy(&raw, values, sizeof raw);
    *reinterpret_cast<uint2*>(to.values + i) = raw;
  }
}

}  // namespace

bool RaiseAmax(const __nv_bfloat16* x, int64_t n, float* amax, Bench& bench) {
  Amax<<<Blocks(bench, n / 8, kThreads), kThreads, 0, bench.stream>>>(x, n,
                                                                      amax);
  return cudaGetLastError() == cudaSuccess;
}

bool ConvertToFp8(const __nv_bfloat16* x, int64_t n, const Quantised& to,
                  Bench& bench) {
  Convert<<<Blocks(bench, n / 8, kThreads), kThreads, 0, bench.stream>>>(x, n,
                                                                         to);
  return cudaGetLastError() == cudaSuccess;
}

bool QuantisePerTensor(const __nv_bfloat16* x, int64_t n, const Quantised& to,
                       Bench& bench) {
  return cudaMemsetAsync(to.amax, 0, sizeof(float), bench.stream) ==
             cudaSuccess &&
         RaiseAmax(x, n, to.amax, bench) && ConvertToFp8(x, n, to, bench);
}

}  // namespace tools
