// What one warp does with tiles of queries, keys and values in shared memory:
// products by mma.sync, softmax by row. The kernels of attention_*.cu are put
// together from these.
//
//   TileProduct<T, D, 8>(s, q_rows, k_rows);      // s (16 x 64) += Q K^T
//   WeightedSum<T, D, 8>(o, s, v_rows);           // o (16 x D) += s V
//
// Tiles lie by rows of D elements and 8 more, so that the eight rows that one
// ldmatrix reads begin in eight different groups of banks. Where elements lie
// in registers: tools/calibrate/fragments.h.
#ifndef TOOLS_CALIBRATE_MEASURE_ATTENTION_TILES_H_
#define TOOLS_CALIBRATE_MEASURE_ATTENTION_TILES_H_

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "tools/calibrate/fragments.h"
#include "tools/calibrate/measure/matrix_types.h"

namespace tools {

constexpr int kTileRows = 64;
constexpr int kTileThreads = 128;

template <int D>
constexpr int kTileStride = D + 8;  // elements
template <int D>
constexpr int kTileElements = kTileRows* kTileStride<D>;

__device__ inline uint32_t SharedAddress(const void* p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

// ---- Loading -------------------------------------------------------------

// Rows first .. first + 63 of a tensor whose rows lie `stride` elements apart;
// rows from `rows` on are zero. Asynchronous: ends with a commit.
template <class T, int D>
__device__ inline void LoadTile(const T* tensor, int64_t stride, int first,
                                int rows, T* tile) {
  constexpr int kChunks = D / 8;  // of 16 bytes per row
  for (int i = threadIdx.x; i < kTileRows * kChunks; i += kTileThreads) {
    const int row = i / kChunks, column = i % kChunks * 8;
    const bool inside = first + row < rows;
    const T* from = tensor + (inside ? (first + row) * stride + column : 0);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                     SharedAddress(tile + row * kTileStride<D> + column)),
                 "l"(from), "r"(inside ? 16 : 0));
  }
  asm volatile("cp.async.commit_group;");
}

// Until at most kPending of this thread's loads are on their way, then for all
// threads of the block.
template <int kPending>
__device__ inline void AwaitTiles() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
  __syncthreads();
}

// ---- Products ------------------------------------------------------------

template <class T>
constexpr Matrix kMatrixOf =
    std::is_same_v<T, __half> ? Matrix::kFp16 : Matrix::kBf16;

template <class T>
__device__ inline uint32_t Pack(float low, float high) {
  uint32_t word;
  if constexpr (std::is_same_v<T, __half>) {
    const __half2 pair = __floats2half2_rn(low, high);
    memcpy(&word, &pair, sizeof word);
  } else {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    memcpy(&word, &pair, sizeof word);
  }
  return word;
}

__device__ inline void LoadMatrix(const void* at, uint32_t (&r)[4]) {
  asm volatile(
      "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
      : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
      : "r"(SharedAddress(at))
      : "memory");
}
__device__ inline void LoadMatrixTransposed(const void* at, uint32_t (&r)[4]) {
  asm volatile(
      "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
      : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
      : "r"(SharedAddress(at))
      : "memory");
}

// acc (16 x 8 kTiles) += A B^T, of 16 rows of A and 8 kTiles of B, both in
// shared memory. kTiles is even.
template <class T, int D, int kTiles>
__device__ inline void TileProduct(float (&acc)[kTiles][4], const T* a_rows,
                                   const T* b_rows) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int k = 0; k < D; k += 16) {
    uint32_t a[4];
    LoadMatrix(a_rows + LoadARow(lane) * kTileStride<D> + k + LoadAColumn(lane),
               a);
#pragma unroll
    for (int pair = 0; pair < kTiles / 2; ++pair) {
      uint32_t b[4];
      LoadMatrix(b_rows + (16 * pair + LoadBRow(lane)) * kTileStride<D> + k +
                     LoadBColumn(lane),
                 b);
      Mma<kMatrixOf<T>>(acc[2 * pair], a, b[0], b[1], acc[2 * pair]);
      Mma<kMatrixOf<T>>(acc[2 * pair + 1], a, b[2], b[3], acc[2 * pair + 1]);
    }
  }
}

// acc (16 x D) += P B, of P (16 x 8 kTiles) in accumulators, rounded to T, and
// 8 kTiles rows of B in shared memory.
template <class T, int D, int kTiles>
__device__ inline void WeightedSum(float (&acc)[D / 8][4],
                                   const float (&p)[kTiles][4],
                                   const T* b_rows) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int pair = 0; pair < kTiles / 2; ++pair) {
    const float(&left)[4] = p[2 * pair];
    const float(&right)[4] = p[2 * pair + 1];
    const uint32_t a[4] = {Pack<T>(left[0], left[1]), Pack<T>(left[2], left[3]),
                           Pack<T>(right[0], right[1]),
                           Pack<T>(right[2], right[3])};
#pragma unroll
    for (int d = 0; d < D / 16; ++d) {
      uint32_t b[4];
      LoadMatrixTransposed(
          b_rows + (16 * pair + LoadTransposedBRow(lane)) * kTileStride<D> +
              16 * d + LoadTransposedBColumn(lane),
          b);
      Mma<kMatrixOf<T>>(acc[2 * d], a, b[0], b[1], acc[2 * d]);
      Mma<kMatrixOf<T>>(acc[2 * d + 1], a, b[2], b[3], acc[2 * d + 1]);
    }
  }
}

}  // namespace tools

#endif  // TOOLS_CALIBRATE_MEASURE_ATTENTION_TILES_H_
