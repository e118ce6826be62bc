#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "tools/calibrate/measure/attention_kernels.h"
#include "tools/calibrate/measure/attention_tiles.h"
#include "tools/calibrate/measure/vectors.h"
#include "tools/calibrate/softmax_state.h"

namespace tools {
namespace {

constexpr float kLog2E = 1.4426950408889634f;
constexpr int kGroup = 16;  // query heads per key-value head, at most
constexpr int kWarps = kTileThreads / 32;
constexpr int kStages = 2;
constexpr int kLeastKeys = 256;  // of a split

// The scores of the group's queries with the 16 keys of this warp.
__device__ void SoftenKeys(const AttentionTensors& t, int key, int last,
                           SoftmaxState (&rows)[2], float (&s)[2][4],
                           float (&factor)[2]) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float most = -INFINITY;
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
#pragma unroll
      for (int i = 2 * half; i < 2 * half + 2; ++i) {
        const int column = key + 8 * tile + AccumulatorColumn(lane, i);
        s[tile][i] =
            column < last ? s[tile][i] * (t.scale * kLog2E) : -INFINITY;
        most = fmaxf(most, s[tile][i]);
      }
    }
    most = fmaxf(most, __shfl_xor_sync(0xffffffff, most, 1));
    most = fmaxf(most, __shfl_xor_sync(0xffffffff, most, 2));
    factor[half] = rows[half].Raise(most);
    rows[half].sum *= factor[half];
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
#pragma unroll
      for (int i = 2 * half; i < 2 * half + 2; ++i) {
        s[tile][i] = Weight(s[tile][i], rows[half].most);
        rows[half].sum += s[tile][i];
      }
    }
  }
}

// Brings the warps' sums together and writes them as partial results of this
// split. `scratch` holds kWarps x 16 x D floats and as many largest and sums.
template <int D>
__device__ void Gather(const AttentionTensors& t, int64_t first_row, int group,
                       SoftmaxState (&rows)[2], float (&out)[D / 8][4],
                       float* scratch) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  float* log_sums = scratch + kWarps * kGroup * D;
  __syncthreads();  // tiles are no longer read
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float sum = rows[half].sum;
    sum += __shfl_xor_sync(0xffffffff, sum, 1);
    sum += __shfl_xor_sync(0xffffffff, sum, 2);
    rows[half].sum = sum;
    const int row = AccumulatorRow(lane, 2 * half);
    const float inverse = sum > 0 ? 1 / sum : 0;
#pragma unroll
    for (int d = 0; d < D / 8; ++d) {
#pragma unroll
      for (int i = 2 * half; i < 2 * half + 2; ++i) {
        scratch[(warp * kGroup + row) * D + 8 * d +
                AccumulatorColumn(lane, i)] = out[d][i] * inverse;
      }
    }
    if (lane % 4 == 0) {
      log_sums[warp * kGroup + row] = sum > 0 ? rows[half].LogSum() : -INFINITY;
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < group * D; i += kTileThreads) {
    const int row = i / D, column = i % D;
    SoftmaxState all;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) all.Raise(log_sums[w * kGroup + row]);
    float value = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      const float weight = Weight(log_sums[w * kGroup + row], all.most);
      all.sum += weight;
      value += weight * scratch[(w * kGroup + row) * D + column];
    }
    const int64_t to = (first_row + row) * t.splits + blockIdx.x;
    t.partial_out[to * D + column] = value / all.sum;
    if (column == 0) t.partial_log_sums[to] = all.LogSum();
  }
}

// A block takes one split of the keys of one key-value head, 64 keys at a time,
// each warp 16 of them; the heads of the group are the rows of the product.
template <class T, int D>
__global__ void __launch_bounds__(kTileThreads)
    Decode(const AttentionTensors t) {
  extern __shared__ uint4 shared[];
  T* tiles = reinterpret_cast<T*>(shared);  // keys, values, keys, values
  T* q_tile = tiles + 2 * kStages * kTileElements<D>;
  const int kv_head = blockIdx.y, batch = blockIdx.z;
  const int group = t.heads / t.kv_heads;
  const int64_t stride = int64_t{t.kv_heads} * D;
  const int64_t first_row = int64_t{batch} * t.heads + kv_head * group;
  const T* q = static_cast<const T*>(t.q) + first_row * D;
  const T* k = static_cast<const T*>(t.k) + int64_t{batch} * t.kv_len * stride +
               kv_head * D;
  const T* v = static_cast<const T*>(t.v) + int64_t{batch} * t.kv_len * stride +
               kv_head * D;
  const int per_split = (t.kv_len + t.splits - 1) / t.splits;
  const int begin = static_cast<int>(blockIdx.x) * per_split;
  const int end = min(t.kv_len, begin + per_split);
  const int warp_row = static_cast<int>(threadIdx.x) / 32 * 16;
  for (int i = threadIdx.x; i < kGroup * D; i += kTileThreads) {
    q_tile[i / D * kTileStride<D> + i % D] =
        i < group * D ? q[i] : FromFloat<T>(0);
  }
  const auto load = [&](int key, int stage) {
    T* tile = tiles + 2 * stage * kTileElements<D>;
    LoadTile<T, D>(k, stride, key, end, tile);
    LoadTile<T, D>(v, stride, key, end, tile + kTileElements<D>);
  };
  SoftmaxState rows[2];
  float out[D / 8][4] = {};
  load(begin, 0);
  int stage = 0;
  for (int key = begin; key < end; key += kTileRows) {
    load(key + kTileRows, 1 - stage);  // past the end: zeros, not read
    AwaitTiles<2>();
    const T* tile = tiles + 2 * stage * kTileElements<D>;
    float s[2][4] = {}, factor[2];
    TileProduct<T, D, 2>(s, q_tile, tile + warp_row * kTileStride<D>);
    SoftenKeys(t, key + warp_row, end, rows, s, factor);
#pragma unroll
    for (int d = 0; d < D / 8; ++d) {
#pragma unroll
      for (int i = 0; i < 4; ++i) out[d][i] *= factor[i / 2];
    }
    WeightedSum<T, D, 2>(out, s,
                         tile + kTileElements<D> + warp_row * kTileStride<D>);
    __syncthreads();  // before this stage is overwritten
    stage = 1 - stage;
  }
  AwaitTiles<0>();
  Gather<D>(t, first_row, group, rows, out, reinterpret_cast<float*>(shared));
}

// A block per query head and sequence; a thread per element of the head.
template <class T, int D>
__global__ void __launch_bounds__(D) Combine(const AttentionTensors t) {
  const int64_t row = blockIdx.x;
  SoftmaxState all;
  for (int split = 0; split < t.splits; ++split) {
    all.Raise(t.partial_log_sums[row * t.splits + split]);
  }
  float value = 0;
  for (int split = 0; split < t.splits; ++split) {
    const int64_t at = row * t.splits + split;
    const float weight = Weight(t.partial_log_sums[at], all.most);
    all.sum += weight;
    value += weight * t.partial_out[at * D + threadIdx.x];
  }
  static_cast<T*>(t.out)[row * D + threadIdx.x] = FromFloat<T>(value / all.sum);
  if (threadIdx.x == 0) t.log_sums[row] = all.LogSum();
}

template <class T, int D>
bool LaunchDecode(const AttentionTensors& t, cudaStream_t stream) {
  constexpr int kTiles =
      (2 * kStages * kTileElements<D> + kGroup * kTileStride<D>)*int{sizeof(T)};
  static_assert(kTiles >= (kWarps * kGroup * (D + 1)) * int{sizeof(float)},
                "the tiles' memory is scratch at the end");
  static const cudaError_t allowed = cudaFuncSetAttribute(
      Decode<T, D>, cudaFuncAttributeMaxDynamicSharedMemorySize, kTiles);
  if (allowed != cudaSuccess) return false;
  const dim3 grid(static_cast<unsigned>(t.splits),
                  static_cast<unsigned>(t.kv_heads),
                  static_cast<unsigned>(t.batch));
  Decode<T, D><<<grid, kTileThreads, kTiles, stream>>>(t);
  Combine<T, D><<<static_cast<unsigned>(t.batch * t.heads), D, 0, stream>>>(t);
  return cudaGetLastError() == cudaSuccess;
}

}  // namespace

int SplitsOf(const AttentionCase& c, int multiprocessors) {
  const int64_t blocks = c.batch * c.kv_heads;
  const int64_t wanted = (2 * int64_t{multiprocessors} + blocks - 1) / blocks;
  const int64_t most = std::max<int64_t>(1, c.kv_len / kLeastKeys);
  const int64_t splits = std::clamp<int64_t>(wanted, 1, most);
  // No split may be without keys.
  const int64_t per_split = (c.kv_len + splits - 1) / splits;
  return static_cast<int>((c.kv_len + per_split - 1) / per_split);
}

bool AttendDecode(const AttentionCase& c, const AttentionTensors& t,
                  cudaStream_t stream) {
  const bool bf16 = c.dtype == "bf16";
  if ((!bf16 && c.dtype != "fp16") || c.heads / c.kv_heads > kGroup) {
    return false;
  }
  if (c.head_dim == 128) {
    return bf16 ? LaunchDecode<__nv_bfloat16, 128>(t, stream)
                : LaunchDecode<__half, 128>(t, stream);
  }
  if (c.head_dim != 64) return false;
  return bf16 ? LaunchDecode<__nv_bfloat16, 64>(t, stream)
              : LaunchDecode<__half, 64>(t, stream);
}

}  // namespace tools
