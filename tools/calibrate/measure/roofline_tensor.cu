// Issue of matrix instructions, operands in registers (mma.sync) or in shared
// memory (wgmma). Each round multiplies the same random tiles from zero, so
// that what is left at the end is one tile's product, which is checked, and the
// operands toggle as in a real product.
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/calibrate/fragments.h"
#include "tools/calibrate/measure/cuda_check.h"
#include "tools/calibrate/measure/matrix_types.h"
#include "tools/calibrate/measure/roofline.h"
#include "tools/calibrate/measure/timing.h"
#include "tools/calibrate/measure/wgmma.h"

namespace tools {
namespace {

constexpr int kStepBytes = 32;  // of k, per instruction

// ---- mma.sync: each warp a tile of 16 x 64 -------------------------------

constexpr int kMmaThreads = 256, kMmaBlocksPerSm = 2;
constexpr int kMmaRows = 16, kMmaColumns = 64, kMmaSteps = 4;
constexpr int kMmaTiles = kMmaColumns / 8;

// Rows of A and columns of B are kMmaSteps x 32 bytes of k each. A register
// holds the four bytes from 4 (lane % 4) on; A's odd ones are 8 rows down, its
// last two and B's second 16 bytes on.
template <Matrix kType>
__global__ void __launch_bounds__(kMmaThreads, kMmaBlocksPerSm)
    MmaRounds(const char* a_rows, const char* b_columns, int rounds,
              float* out) {
  const int lane = threadIdx.x % 32, group = lane / 4, byte = 4 * (lane % 4);
  const auto word = [&](const char* rows, int row, int at) {
    return *reinterpret_cast<const uint32_t*>(
        rows + row * kMmaSteps * kStepBytes + at);
  };
  uint32_t a[kMmaSteps][4], b[kMmaSteps][kMmaTiles][2];
#pragma unroll
  for (int step = 0; step < kMmaSteps; ++step) {
    const int at = step * kStepBytes + byte;
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      a[step][r] = word(a_rows, group + 8 * (r % 2), at + 16 * (r / 2));
    }
#pragma unroll
    for (int tile = 0; tile < kMmaTiles; ++tile) {
      b[step][tile][0] = word(b_columns, 8 * tile + group, at);
      b[step][tile][1] = word(b_columns, 8 * tile + group, at + 16);
    }
  }
  const float zero[4] = {0, 0, 0, 0};
  float d[kMmaTiles][4] = {};
  for (int round = 0; round < rounds; ++round) {
#pragma unroll
    for (int step = 0; step < kMmaSteps; ++step) {
#pragma unroll
      for (int tile = 0; tile < kMmaTiles; ++tile) {
        if (step == 0) {
          Mma<kType>(d[tile], a[step], b[step][tile][0], b[step][tile][1],
                     zero);
        } else {
          Mma<kType>(d[tile], a[step], b[step][tile][0], b[step][tile][1],
                     d[tile]);
        }
      }
    }
  }
  const int warp = (blockIdx.x * kMmaThreads + threadIdx.x) / 32;
  float* mine = out + int64_t{warp} * kMmaRows * kMmaColumns;
#pragma unroll
  for (int tile = 0; tile < kMmaTiles; ++tile) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      mine[AccumulatorRow(lane, i) * kMmaColumns + 8 * tile +
           AccumulatorColumn(lane, i)] = d[tile][i];
    }
  }
}

// ---- wgmma: each block a tile of 128 x 256 by two warpgroups -------------

constexpr int kWideThreads = 256, kWideRows = 128, kWideColumns = 256;
constexpr int kAtomBytes = 128;  // of k, per swizzled row
constexpr int kAtoms = 4;        // that many are in shared memory
constexpr int kAtomSteps = kAtomBytes / kStepBytes;
constexpr int kAAtom = kWideRows * kAtomBytes;
constexpr int kBAtom = kWideColumns * kAtomBytes;
// 1024 bytes more, to align what is dynamic.
constexpr int kWideShared = kAtoms * (kAAtom + kBAtom) + 1024;

// Rows of kAtoms x 128 bytes, into as many swizzled atoms.
[[maybe_unused]] __device__ void LoadSwizzled(const char* rows, int count,
                                              char* shared) {
  constexpr int kChunks = kAtoms * kAtomBytes / 16;
  for (int i = threadIdx.x; i < count * kChunks; i += blockDim.x) {
    const int row = i / kChunks, byte = i % kChunks * 16;
    const int atom = byte / kAtomBytes;
    *reinterpret_cast<uint4*>(shared + atom * count * kAtomBytes +
                              SwizzledByte(row, byte % kAtomBytes)) =
        *reinterpret_cast<const uint4*>(rows + row * kAtoms * kAtomBytes +
                                        byte);
  }
}

template <Matrix kType>
__global__ void __launch_bounds__(kWideThreads, 1)
    WgmmaRounds(const char* a_rows, const char* b_columns, int rounds,
                float* out) {
#if ORRERY_HAS_WGMMA
  extern __shared__ char unaligned[];
  char* shared = reinterpret_cast<char*>(
      (reinterpret_cast<uintptr_t>(unaligned) + 1023) / 1024 * 1024);
  LoadSwizzled(a_rows, kWideRows, shared);
  LoadSwizzled(b_columns, kWideColumns, shared + kAtoms * kAAtom);
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();
  const int warpgroup = threadIdx.x / 128;
  const auto base = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  const uint32_t a = base + warpgroup * (64 * kAtomBytes);
  const uint32_t b = base + kAtoms * kAAtom;
  float d[128] = {};
  for (int round = 0; round < rounds; ++round) {
    WgmmaFence();
#pragma unroll
    for (int step = 0; step < kAtoms * kAtomSteps; ++step) {
      const int atom = step / kAtomSteps;
      const uint32_t in_atom = step % kAtomSteps * kStepBytes;
      Wgmma<kType>(d, OperandDescriptor(a + atom * kAAtom + in_atom),
                   OperandDescriptor(b + atom * kBAtom + in_atom), step != 0);
    }
    WgmmaCommit();
    WgmmaWait<0>();
  }
  float* mine = out + int64_t{blockIdx.x} * kWideRows * kWideColumns +
                warpgroup * 64 * kWideColumns;
#pragma unroll
  for (int i = 0; i < 128; ++i) {
    const int thread = threadIdx.x % 128;
    mine[WideRow(thread, i) * kWideColumns + WideColumn(thread, i)] = d[i];
  }
#endif
}

// ---- Both ----------------------------------------------------------------

// TF32 takes 19 of 32 bits; without the others the host's reference has the
// operands that the matrix unit has.
__global__ void CutToTf32(uint32_t* values, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) values[i] &= 0xffffe000u;
}

// One of the two instructions with operands of one type: a grid of `tiles`
// products of rows x columns over `steps` of k.
struct Issue {
  int rows, columns, steps;
  int blocks, threads, tiles, shared;
  void (*kernel)(const char*, const char*, int, float*);
};

Matrix TypeOf(const std::string& dtype) {
  if (dtype == "bf16") return Matrix::kBf16;
  if (dtype == "fp16") return Matrix::kFp16;
  return dtype == "tf32" ? Matrix::kTf32 : Matrix::kFp8;
}

std::vector<double> Product(const std::vector<double>& a,
                            const std::vector<double>& b, int rows, int columns,
                            int k) {
  std::vector<double> product;
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) {
      double sum = 0;
      for (int l = 0; l < k; ++l) {
        sum += a[static_cast<size_t>(i * k + l)] *
               b[static_cast<size_t>(j * k + l)];
      }
      product.push_back(sum);
    }
  }
  return product;
}

struct Operands {
  char *a, *b;
  std::vector<double> product;
};
Operands MakeOperands(const RooflineCase& c, const Issue& issue, Bench& bench) {
  const std::string held = c.dtype == "tf32" ? "fp32" : c.dtype;
  const int k = issue.steps * kStepBytes / BytesOfElement(TypeOf(c.dtype));
  const auto make = [&](int rows, uint64_t seed) {
    void* tensor =
        bench.arena.TakeBytes(size_t(rows) * issue.steps * kStepBytes);
    FillRandom(tensor, int64_t{rows} * k, held, 1, seed, bench.stream);
    if (c.dtype == "tf32") {
      CutToTf32<<<(rows * k + 255) / 256, 256, 0, bench.stream>>>(
          static_cast<uint32_t*>(tensor), rows * k);
    }
    return static_cast<char*>(tensor);
  };
  Operands operands{make(issue.rows, 11), make(issue.columns, 12), {}};
  operands.product = Product(
      ReadBack(operands.a, int64_t{issue.rows} * k, held, bench.stream),
      ReadBack(operands.b, int64_t{issue.columns} * k, held, bench.stream),
      issue.rows, issue.columns, k);
  return operands;
}

// The first and the last tile against the host's product.
std::string CheckTiles(const RooflineCase& c, const Issue& issue,
                       const Operands& operands, const float* out,
                       Bench& bench) {
  const int64_t size = int64_t{issue.rows} * issue.columns;
  // FP32 sums of at most 512 products; those of FP8 keep about 14 bits.
  const double tolerance = c.dtype == "fp8" ? 1e-2 : 1e-5;
  for (const int tile : {0, issue.tiles - 1}) {
    const double error =
        RelativeError(ReadBack(out + tile * size, size, "fp32", bench.stream),
                      operands.product);
    const std::string wrong =
        Verdict(c.kernel + " " + c.dtype + " tile " + std::to_string(tile),
                error, tolerance);
    if (!wrong.empty()) return wrong;
  }
  return "";
}

Outcome MeasureIssue(const RooflineCase& c, const Issue& issue,
                     const Effort& effort, Bench& bench) {
  const Operands operands = MakeOperands(c, issue, bench);
  const int64_t size = int64_t{issue.rows} * issue.columns * issue.tiles;
  auto* out = bench.arena.Take<float>(size);
  if (!bench.arena.fits()) return Skipped("does not fit in memory");
  CUDA_CHECK(cudaFuncSetAttribute(
      issue.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, issue.shared));
  const double flops = WorkOf(c).flops;
  const double per_round = 2.0 * static_cast<double>(size) * issue.steps *
                           kStepBytes / BytesOfElement(TypeOf(c.dtype));
  const int rounds =
      static_cast<int>(std::max(1.0, std::ceil(flops / per_round)));
  const auto launch = [&](int) {
    issue.kernel<<<issue.blocks, issue.threads, issue.shared, bench.stream>>>(
        operands.a, operands.b, rounds, out);
    return cudaGetLastError() == cudaSuccess;
  };
  Poison(out, size * sizeof(float), bench.stream);
  CUDA_CHECK(launch(0) ? cudaSuccess : cudaErrorLaunchFailure);
  const std::string wrong = CheckTiles(c, issue, operands, out, bench);
  if (!wrong.empty()) return Wrong(wrong);
  Effort own = effort;
  if (flops > 1e13) own.samples = 3;  // a third of a second each
  Outcome outcome = Timed(c, bench, own, launch, {"orrery-measure", "", ""});
  const double share = flops / (per_round * rounds);
  Timing& t = outcome.measured.timing;
  t.median_us *= share;
  t.p10_us *= share;
  t.p90_us *= share;
  return outcome;
}

}  // namespace

Outcome MeasureMma(const RooflineCase& c, const Effort& effort, Bench& bench) {
  // The code for 8.0, which later cards compile for themselves, has no FP8.
  if (c.dtype == "fp8" && bench.capability != 90) {
    return Skipped("FP8 is built for compute capability 9.0 alone");
  }
  const int blocks = bench.card.multiProcessorCount * kMmaBlocksPerSm;
  Issue issue{kMmaRows,    kMmaColumns,
              kMmaSteps,   blocks,
              kMmaThreads, blocks * kMmaThreads / 32,
              0,           MmaRounds<Matrix::kBf16>};
  const Matrix type = TypeOf(c.dtype);
  if (type == Matrix::kFp16) issue.kernel = MmaRounds<Matrix::kFp16>;
  if (type == Matrix::kTf32) issue.kernel = MmaRounds<Matrix::kTf32>;
  if (type == Matrix::kFp8) issue.kernel = MmaRounds<Matrix::kFp8>;
  return MeasureIssue(c, issue, effort, bench);
}

Outcome MeasureWgmma(const RooflineCase& c, const Effort& effort,
                     Bench& bench) {
  if (bench.capability != 90) {
    return Skipped("wgmma is of compute capability 9.0 alone");
  }
  const int blocks = bench.card.multiProcessorCount;
  Issue issue{
      kWideRows, kWideColumns, kAtoms * kAtomSteps,       blocks, kWideThreads,
      blocks,    kWideShared,  WgmmaRounds<Matrix::kBf16>};
  const Matrix type = TypeOf(c.dtype);
  if (type == Matrix::kFp16) issue.kernel = WgmmaRounds<Matrix::kFp16>;
  if (type == Matrix::kTf32) issue.kernel = WgmmaRounds<Matrix::kTf32>;
  if (type == Matrix::kFp8) issue.kernel = WgmmaRounds<Matrix::kFp8>;
  return MeasureIssue(c, issue, effort, bench);
}

}  // namespace tools
