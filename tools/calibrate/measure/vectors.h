// Sixteen bytes of 16-bit elements at once, as floats.
//
//   float x[8];
//   LoadEight(row + i, x);
//   StoreEight(x, out + i);
#ifndef TOOLS_CALIBRATE_MEASURE_VECTORS_H_
#define TOOLS_CALIBRATE_MEASURE_VECTORS_H_

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <cstring>

namespace tools {

__device__ inline float AsFloat(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ inline float AsFloat(__half x) { return __half2float(x); }
template <class T>
__device__ inline T FromFloat(float x);
template <>
__device__ inline __nv_bfloat16 FromFloat<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}
template <>
__device__ inline __half FromFloat<__half>(float x) {
  return __float2half_rn(x);
}

// REQUIRES: the address is a multiple of 16.
template <class T>
__device__ inline void LoadEight(const T* from, float (&x)[8]) {
  const uint4 raw = *reinterpret_cast<const uint4*>(from);
  T elements[8];
  memcpy(elements, &raw, sizeof raw);
#pragma unroll
  for (int i = 0; i < 8; ++i) x[i] = AsFloat(elements[i]);
}

template <class T>
__device__ inline void StoreEight(const float (&x)[8], T* to) {
  T elements[8];
#pragma unroll
  for (int i = 0; i < 8; ++i) elements[i] = FromFloat<T>(x[i]);
  uint4 raw;
  memcpy(&raw, elements, sizeof raw);
  *reinterpret_cast<uint4*>(to) = raw;
}

// The sum of `x` over a block of kThreads, to every thread. A barrier at its
// end lets it be called again at once.
template <int kThreads>
__device__ inline float BlockSum(float x) {
  __shared__ float warps[kThreads / 32];
#pragma unroll
  for (int away = 16; away > 0; away /= 2) {
    x += __shfl_xor_sync(0xffffffff, x, away);
  }
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = x;
  __syncthreads();
  float sum = 0;
#pragma unroll
  for (int warp = 0; warp < kThreads / 32; ++warp) sum += warps[warp];
  __syncthreads();
  return sum;
}

template <int kThreads>
__device__ inline float BlockMax(float x) {
  __shared__ float warps[kThreads / 32];
#pragma unroll
  for (int away = 16; away > 0; away /= 2) {
    x = fmaxf(x, __shfl_xor_sync(0xffffffff, x, away));
  }
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = x;
  __syncthreads();
  float most = warps[0];
#pragma unroll
  for (int warp = 1; warp < kThreads / 32; ++warp) {
    most = fmaxf(most, warps[warp]);
  }
  __syncthreads();
  return most;
}

}  // namespace tools

#endif  // TOOLS_CALIBRATE_MEASURE_VECTORS_H_
