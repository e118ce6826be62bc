#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "tools/calibrate/measure/attention_kernels.h"
#include "tools/calibrate/measure/attention_tiles.h"
#include "tools/calibrate/measure/vectors.h"

namespace tools {
namespace {

constexpr float kLog2E = 1.4426950408889634f;
constexpr int kTilesAcross = kTileRows / 8;  // accumulators of 64 columns

// delta = sum over the head of out x out_gradient; a warp per query and head.
template <class T, int D>
__global__ void __launch_bounds__(kTileThreads)
    Delta(const AttentionTensors t) {
  const int64_t row = (int64_t{blockIdx.x} * kTileThreads + threadIdx.x) / 32;
  const int64_t rows = int64_t{t.batch} * t.q_len * t.heads;
  if (row >= rows) return;
  const int lane = threadIdx.x % 32;
  const T* out = static_cast<const T*>(t.out) + row * D;
  const T* gradient = static_cast<const T*>(t.out_gradient) + row * D;
  float sum = 0;
#pragma unroll
  for (int i = 0; i < D / 32; ++i) {
    sum += AsFloat(out[32 * i + lane]) * AsFloat(gradient[32 * i + lane]);
  }
  for (int away = 16; away > 0; away /= 2) {
    sum += __shfl_xor_sync(0xffffffff, sum, away);
  }
  if (lane != 0) return;
  const int64_t head = row % t.heads, query = row / t.heads % t.q_len;
  const int64_t batch = row / t.heads / t.q_len;
  t.delta[(batch * t.heads + head) * t.q_len + query] = sum;
}

// The softmax's weight of a score, as the forward pass had it.
__device__ float WeightOf(const AttentionTensors& t, float score, int query,
                          int key, float log_sum) {
  const bool seen = query < t.q_len && key < t.kv_len &&
                    (!t.causal || key <= query + t.kv_len - t.q_len);
  return seen ? exp2f(score * (t.scale * kLog2E) - log_sum) : 0.0f;
}

// log_sums and delta of 64 queries of a head, to shared memory.
__device__ void LoadQueries(const AttentionTensors& t, int batch, int head,
                            int first, float* log_sums, float* delta) {
  const int i = threadIdx.x;
  if (i < kTileRows && first + i < t.q_len) {
    const int64_t at = (int64_t{batch} * t.heads + head) * t.q_len + first + i;
    log_sums[i] = t.log_sums[at];
    delta[i] = t.delta[at];
  }
}

template <class T, int D>
struct Heads {
  __device__ Heads(const AttentionTensors& t, int batch, int head)
      : q_stride(int64_t{t.heads} * D), kv_stride(int64_t{t.kv_heads} * D) {
    const int kv_head = head / (t.heads / t.kv_heads);
    q_at = int64_t{batch} * t.q_len * q_stride + head * D;
    kv_at = int64_t{batch} * t.kv_len * kv_stride + kv_head * D;
    q = static_cast<const T*>(t.q) + q_at;
    gradient = static_cast<const T*>(t.out_gradient) + q_at;
    k = static_cast<const T*>(t.k) + kv_at;
    v = static_cast<const T*>(t.v) + kv_at;
  }
  int64_t q_stride, kv_stride, q_at, kv_at;
  const T *q, *gradient, *k, *v;
};

// 16 rows of accumulators, times `scale`, to rows of a tensor.
template <class T, int D>
__device__ void StoreRows(const float (&acc)[D / 8][4], float scale, int first,
                          int rows, int64_t stride, T* tensor) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = first + AccumulatorRow(lane, 2 * half);
    if (row >= rows) continue;
    T* to = tensor + row * stride + AccumulatorColumn(lane, 0);
#pragma unroll
    for (int d = 0; d < D / 8; ++d) {
      *reinterpret_cast<uint32_t*>(to + 8 * d) =
          Pack<T>(acc[d][2 * half] * scale, acc[d][2 * half + 1] * scale);
    }
  }
}

// A block takes 64 keys of one key-value head, each warp 16 of them, and meets
// every query that sees one: S^T = K Q^T, dV += P^T dO, dS^T = P^T x (V dO^T -
// delta), dK += dS^T Q. Keys are rows, so that P^T and dS^T are where the next
// product takes them.
template <class T, int D>
__global__ void __launch_bounds__(kTileThreads)
    KeyGradients(const AttentionTensors t) {
  extern __shared__ uint4 shared[];
  __shared__ float log_sums[kTileRows], delta[kTileRows];
  T* k_tile = reinterpret_cast<T*>(shared);
  T* v_tile = k_tile + kTileElements<D>;
  T* q_tile = v_tile + kTileElements<D>;
  T* g_tile = q_tile + kTileElements<D>;
  const int first_key = blockIdx.x * kTileRows;
  const int kv_head = blockIdx.y, batch = blockIdx.z;
  const int group = t.heads / t.kv_heads;
  const int warp_row = static_cast<int>(threadIdx.x) / 32 * 16;
  const int lane = threadIdx.x % 32;
  const Heads<T, D> own(t, batch, kv_head * group);
  LoadTile<T, D>(own.k, own.kv_stride, first_key, t.kv_len, k_tile);
  LoadTile<T, D>(own.v, own.kv_stride, first_key, t.kv_len, v_tile);
  float dk[D / 8][4] = {}, dv[D / 8][4] = {};
  // The first query that sees the first of these keys.
  const int before = t.causal ? first_key - (t.kv_len - t.q_len) : 0;
  const int start = max(0, before) / kTileRows * kTileRows;
  for (int member = 0; member < group; ++member) {
    const int head = kv_head * group + member;
    const Heads<T, D> h(t, batch, head);
    for (int query = start; query < t.q_len; query += kTileRows) {
      LoadTile<T, D>(h.q, h.q_stride, query, t.q_len, q_tile);
      LoadTile<T, D>(h.gradient, h.q_stride, query, t.q_len, g_tile);
      LoadQueries(t, batch, head, query, log_sums, delta);
      AwaitTiles<0>();
      float p[kTilesAcross][4] = {}, ds[kTilesAcross][4] = {};
      TileProduct<T, D, kTilesAcross>(p, k_tile + warp_row * kTileStride<D>,
                                      q_tile);
#pragma unroll
      for (int tile = 0; tile < kTilesAcross; ++tile) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int column = 8 * tile + AccumulatorColumn(lane, i);
          p[tile][i] = WeightOf(t, p[tile][i], query + column,
                                first_key + warp_row + AccumulatorRow(lane, i),
                                log_sums[column]);
        }
      }
      WeightedSum<T, D, kTilesAcross>(dv, p, g_tile);
      TileProduct<T, D, kTilesAcross>(ds, v_tile + warp_row * kTileStride<D>,
                                      g_tile);
#pragma unroll
      for (int tile = 0; tile < kTilesAcross; ++tile) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int column = 8 * tile + AccumulatorColumn(lane, i);
          const float off = p[tile][i] == 0 ? 0 : ds[tile][i] - delta[column];
          ds[tile][i] = p[tile][i] * off;
        }
      }
      WeightedSum<T, D, kTilesAcross>(dk, ds, q_tile);
      __syncthreads();  // before the queries are overwritten
    }
  }
  StoreRows<T, D>(dk, t.scale, first_key + warp_row, t.kv_len, own.kv_stride,
                  static_cast<T*>(t.k_gradient) + own.kv_at);
  StoreRows<T, D>(dv, 1, first_key + warp_row, t.kv_len, own.kv_stride,
                  static_cast<T*>(t.v_gradient) + own.kv_at);
}

// A block takes 64 queries of one head and meets every key that they see:
// dQ += (P x (dO V^T - delta)) K.
template <class T, int D>
__global__ void __launch_bounds__(kTileThreads)
    QueryGradients(const AttentionTensors t) {
  extern __shared__ uint4 shared[];
  __shared__ float log_sums[kTileRows], delta[kTileRows];
  T* q_tile = reinterpret_cast<T*>(shared);
  T* g_tile = q_tile + kTileElements<D>;
  T* k_tile = g_tile + kTileElements<D>;
  T* v_tile = k_tile + kTileElements<D>;
  const int first = blockIdx.x * kTileRows;
  const int head = blockIdx.y, batch = blockIdx.z;
  const int warp_row = static_cast<int>(threadIdx.x) / 32 * 16;
  const int lane = threadIdx.x % 32;
  const Heads<T, D> h(t, batch, head);
  LoadTile<T, D>(h.q, h.q_stride, first, t.q_len, q_tile);
  LoadTile<T, D>(h.gradient, h.q_stride, first, t.q_len, g_tile);
  LoadQueries(t, batch, head, first, log_sums, delta);
  const int seen = t.causal
                       ? min(t.kv_len, first + kTileRows + t.kv_len - t.q_len)
                       : t.kv_len;
  float dq[D / 8][4] = {};
  for (int key = 0; key < seen; key += kTileRows) {
    LoadTile<T, D>(h.k, h.kv_stride, key, t.kv_len, k_tile);
    LoadTile<T, D>(h.v, h.kv_stride, key, t.kv_len, v_tile);
    AwaitTiles<0>();
    float p[kTilesAcross][4] = {}, ds[kTilesAcross][4] = {};
    TileProduct<T, D, kTilesAcross>(p, q_tile + warp_row * kTileStride<D>,
                                    k_tile);
    TileProduct<T, D, kTilesAcross>(ds, g_tile + warp_row * kTileStride<D>,
                                    v_tile);
#pragma unroll
    for (int tile = 0; tile < kTilesAcross; ++tile) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int row = warp_row + AccumulatorRow(lane, i);
        const float weight = WeightOf(
            t, p[tile][i], first + row,
            key + 8 * tile + AccumulatorColumn(lane, i), log_sums[row]);
        ds[tile][i] = weight == 0 ? 0 : weight * (ds[tile][i] - delta[row]);
      }
    }
    WeightedSum<T, D, kTilesAcross>(dq, ds, k_tile);
    __syncthreads();  // before the keys are overwritten
  }
  StoreRows<T, D>(dq, t.scale, first + warp_row, t.q_len, h.q_stride,
                  static_cast<T*>(t.q_gradient) + h.q_at);
}

unsigned TilesOf(int rows) {
  return static_cast<unsigned>((rows + kTileRows - 1) / kTileRows);
}

template <class T, int D>
bool LaunchBackward(const AttentionTensors& t, cudaStream_t stream) {
  constexpr int kShared = 4 * kTileElements<D> * int{sizeof(T)};
  static const bool allowed =
      cudaFuncSetAttribute(KeyGradients<T, D>,
                           cudaFuncAttributeMaxDynamicSharedMemorySize,
                           kShared) == cudaSuccess &&
      cudaFuncSetAttribute(QueryGradients<T, D>,
                           cudaFuncAttributeMaxDynamicSharedMemorySize,
                           kShared) == cudaSuccess;
  if (!allowed) return false;
  const int64_t rows = int64_t{t.batch} * t.q_len * t.heads;
  const auto heads = static_cast<unsigned>(t.heads);
  const auto kv_heads = static_cast<unsigned>(t.kv_heads);
  const auto batch = static_cast<unsigned>(t.batch);
  Delta<T, D>
      <<<static_cast<unsigned>((rows * 32 + kTileThreads - 1) / kTileThreads),
         kTileThreads, 0, stream>>>(t);
  KeyGradients<T, D><<<dim3(TilesOf(t.kv_len), kv_heads, batch), kTileThreads,
                       kShared, stream>>>(t);
  QueryGradients<T, D>
      <<<dim3(TilesOf(t.q_len), heads, batch), kTileThreads, kShared, stream>>>(
          t);
  return cudaGetLastError() == cudaSuccess;
}

}  // namespace

bool AttendBackward(const AttentionCase& c, const AttentionTensors& t,
                    cudaStream_t stream) {
  const bool bf16 = c.dtype == "bf16";
  if (!bf16 && c.dtype != "fp16") return false;
  if (c.head_dim == 128) {
    return bf16 ? LaunchBackward<__nv_bfloat16, 128>(t, stream)
                : LaunchBackward<__half, 128>(t, stream);
  }
  if (c.head_dim != 64) return false;
  return bf16 ? LaunchBackward<__nv_bfloat16, 64>(t, stream)
              : LaunchBackward<__half, 64>(t, stream);
}

}  // namespace tools
