#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "tools/calibrate/measure/attention_kernels.h"
#include "tools/calibrate/measure/attention_tiles.h"
#include "tools/calibrate/softmax_state.h"

namespace tools {
namespace {

constexpr float kLog2E = 1.4426950408889634f;

// The largest over the four lanes that share a row; the sum likewise.
__device__ float RowMax(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffff, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffff, x, 2));
}
__device__ float RowSum(float x) {
  x += __shfl_xor_sync(0xffffffff, x, 1);
  return x + __shfl_xor_sync(0xffffffff, x, 2);
}

// Scores of 16 queries from `query` on with 64 keys from `key` on: scaled, and
// minus infinity where a key is not seen.
__device__ void Mask(const AttentionTensors& t, int query, int key,
                     float (&s)[8][4]) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int tile = 0; tile < 8; ++tile) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int row = query + AccumulatorRow(lane, i);
      const int column = key + 8 * tile + AccumulatorColumn(lane, i);
      const bool seen = column < t.kv_len &&
                        (!t.causal || column <= row + t.kv_len - t.q_len);
      s[tile][i] = seen ? s[tile][i] * (t.scale * kLog2E) : -INFINITY;
    }
  }
}

// Turns scores into weights, and brings what was summed before down to the same
// largest score. A lane holds parts of two rows: i / 2 says which.
template <int D>
__device__ void Soften(SoftmaxState (&rows)[2], float (&s)[8][4],
                       float (&out)[D / 8][4]) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float most = -INFINITY;
#pragma unroll
    for (int tile = 0; tile < 8; ++tile) {
      most = fmaxf(most, fmaxf(s[tile][2 * half], s[tile][2 * half + 1]));
    }
    const float factor = rows[half].Raise(RowMax(most));
    rows[half].sum *= factor;
#pragma unroll
    for (int d = 0; d < D / 8; ++d) {
      out[d][2 * half] *= factor;
      out[d][2 * half + 1] *= factor;
    }
#pragma unroll
    for (int tile = 0; tile < 8; ++tile) {
#pragma unroll
      for (int i = 2 * half; i < 2 * half + 2; ++i) {
        s[tile][i] = Weight(s[tile][i], rows[half].most);
        rows[half].sum += s[tile][i];  // of this lane's columns
      }
    }
  }
}

template <class T, int D>
__device__ void Store(const AttentionTensors& t, int batch, int head, int query,
                      SoftmaxState (&rows)[2], float (&out)[D / 8][4]) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    rows[half].sum = RowSum(rows[half].sum);
    const int row = query + AccumulatorRow(lane, 2 * half);
    if (row >= t.q_len) continue;
    const float inverse = 1 / rows[half].sum;
    T* to = static_cast<T*>(t.out) +
            ((int64_t{batch} * t.q_len + row) * t.heads + head) * D;
#pragma unroll
    for (int d = 0; d < D / 8; ++d) {
      *reinterpret_cast<uint32_t*>(to + 8 * d +
                                   AccumulatorColumn(lane, 2 * half)) =
          Pack<T>(out[d][2 * half] * inverse, out[d][2 * half + 1] * inverse);
    }
    if (lane % 4 == 0) {
      t.log_sums[(int64_t{batch} * t.heads + head) * t.q_len + row] =
          rows[half].LogSum();
    }
  }
}

// A block takes 64 queries of one head, each warp 16 of them; the longest rows
// start first. While scores of a tile of keys are made its values are loaded,
// while those are summed the next keys are.
template <class T, int D>
__global__ void __launch_bounds__(kTileThreads)
    Forward(const AttentionTensors t) {
  extern __shared__ uint4 shared[];
  T* q_tile = reinterpret_cast<T*>(shared);
  T* k_tile = q_tile + kTileElements<D>;
  T* v_tile = k_tile + kTileElements<D>;
  const int first =
      (static_cast<int>(gridDim.x) - 1 - static_cast<int>(blockIdx.x)) *
      kTileRows;
  const int head = blockIdx.y, batch = blockIdx.z;
  const int kv_head = head / (t.heads / t.kv_heads);
  const int64_t q_stride = int64_t{t.heads} * D;
  const int64_t kv_stride = int64_t{t.kv_heads} * D;
  const T* q = static_cast<const T*>(t.q) +
               int64_t{batch} * t.q_len * q_stride + head * D;
  const T* k = static_cast<const T*>(t.k) +
               int64_t{batch} * t.kv_len * kv_stride + kv_head * D;
  const T* v = static_cast<const T*>(t.v) +
               int64_t{batch} * t.kv_len * kv_stride + kv_head * D;
  const int seen = t.causal
                       ? min(t.kv_len, first + kTileRows + t.kv_len - t.q_len)
                       : t.kv_len;
  const int warp_row = static_cast<int>(threadIdx.x) / 32 * 16;
  SoftmaxState rows[2];
  float out[D / 8][4] = {};
  LoadTile<T, D>(q, q_stride, first, t.q_len, q_tile);
  LoadTile<T, D>(k, kv_stride, 0, t.kv_len, k_tile);
  for (int key = 0; key < seen; key += kTileRows) {
    LoadTile<T, D>(v, kv_stride, key, t.kv_len, v_tile);
    AwaitTiles<1>();  // the keys
    float s[8][4] = {};
    TileProduct<T, D, 8>(s, q_tile + warp_row * kTileStride<D>, k_tile);
    __syncthreads();  // before the keys are overwritten
    LoadTile<T, D>(k, kv_stride, key + kTileRows, t.kv_len, k_tile);
    Mask(t, first + warp_row, key, s);
    Soften<D>(rows, s, out);
    AwaitTiles<1>();  // the values
    WeightedSum<T, D, 8>(out, s, v_tile);
    __syncthreads();
  }
  Store<T, D>(t, batch, head, first + warp_row, rows, out);
}

template <class T, int D>
bool LaunchForward(const AttentionTensors& t, cudaStream_t stream) {
  constexpr int kShared = 3 * kTileElements<D> * int{sizeof(T)};
  static const cudaError_t allowed = cudaFuncSetAttribute(
      Forward<T, D>, cudaFuncAttributeMaxDynamicSharedMemorySize, kShared);
  if (allowed != cudaSuccess) return false;
  const dim3 grid(static_cast<unsigned>((t.q_len + kTileRows - 1) / kTileRows),
                  static_cast<unsigned>(t.heads),
                  static_cast<unsigned>(t.batch));
  Forward<T, D><<<grid, kTileThreads, kShared, stream>>>(t);
  return cudaGetLastError() == cudaSuccess;
}

}  // namespace

bool AttendForward(const AttentionCase& c, const AttentionTensors& t,
                   cudaStream_t stream) {
  const bool bf16 = c.dtype == "bf16";
  if (!bf16 && c.dtype != "fp16") return false;
  if (c.head_dim == 128) {
    return bf16 ? LaunchForward<__nv_bfloat16, 128>(t, stream)
                : LaunchForward<__half, 128>(t, stream);
  }
  if (c.head_dim != 64) return false;
  return bf16 ? LaunchForward<__nv_bfloat16, 64>(t, stream)
              : LaunchForward<__half, 64>(t, stream);
}

}  // namespace tools
