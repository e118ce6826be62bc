// GEMM through cuBLASLt: the fastest of the algorithms that its heuristics
// offer, on weights that take turns so that L2 holds none of them.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/calibrate/measure/cublas_lt.h"
#include "tools/calibrate/measure/cuda_check.h"
#include "tools/calibrate/measure/families.h"
#include "tools/calibrate/measure/quantise.h"
#include "tools/calibrate/measure/timing.h"
#include "tools/calibrate/reference.h"

namespace tools {
namespace {

// What cuBLAS recommends for Hopper is 32 MiB; more lets it split k further.
constexpr size_t kWorkspaceBytes = size_t{64} << 20;
// Deviation of 16-bit operands; INT8 is uniform to 16 about 0.
constexpr double kScale = 1, kWholeScale = 16;

struct Operands {
  char* x;                          // of the product's type
  __nv_bfloat16* wide_x = nullptr;  // to quantise
  char* w;                          // `copies` of them
  int64_t w_bytes;
  int copies;
  char* y;
  float *amax, *x_scale, *w_scale;
  void* workspace;
};

int64_t SizeOf(int64_t elements, const std::string& dtype) {
  return elements * static_cast<int64_t>(BytesOfDtype(dtype));
}
std::string TypeOfY(const GemmCase& c) {
  if (c.dtype == "w8a8_int8") return "i32";
  return c.dtype == "fp8" ? "bf16" : c.dtype;
}
double ScaleOf(const std::string& dtype) {
  return dtype == "w8a8_int8" ? kWholeScale : kScale;
}

// Weights for two and a half times L2, but not more than 64 of them.
int CopiesOf(const GemmCase& c, const Bench& bench) {
  const double bytes = static_cast<double>(SizeOf(c.n * c.k, c.dtype));
  const double wanted = 2.5 * bench.card.l2CacheSize / bytes;
  return static_cast<int>(std::clamp(wanted + 1, 1.0, 64.0));
}

Operands Prepare(const GemmCase& c, Bench& bench) {
  Operands o;
  Arena& arena = bench.arena;
  o.copies = CopiesOf(c, bench);
  o.w_bytes = (SizeOf(c.n * c.k, c.dtype) + 1023) / 1024 * 1024;
  o.x = arena.Take<char>(SizeOf(c.m * c.k, c.dtype));
  if (c.quantised) o.wide_x = arena.Take<__nv_bfloat16>(c.m * c.k);
  o.y = arena.Take<char>(c.m * c.n * 4);
  o.amax = arena.Take<float>(1);
  o.x_scale = arena.Take<float>(1);
  o.w_scale = arena.Take<float>(1);
  o.workspace = arena.TakeBytes(kWorkspaceBytes);
  o.w = arena.Take<char>(o.w_bytes * o.copies);
  if (!arena.fits()) return o;
  FillRandom(o.x, c.m * c.k, c.dtype, ScaleOf(c.dtype), 1, bench.stream);
  if (c.quantised) {
    FillRandom(o.wide_x, c.m * c.k, "bf16", kScale, 1, bench.stream);
  }
  for (int i = 0; i < o.copies; ++i) {
    FillRandom(o.w + i * o.w_bytes, c.n * c.k, c.dtype, ScaleOf(c.dtype),
               100 + i, bench.stream);
  }
  const float one = 1;
  for (float* scale : {o.x_scale, o.w_scale}) {
    CUDA_CHECK(cudaMemcpyAsync(scale, &one, sizeof one, cudaMemcpyHostToDevice,
                               bench.stream));
  }
  CUDA_CHECK(cudaStreamSynchronize(bench.stream));
  return o;
}

// BF16 keeps 8 bits, FP16 11, INT32 all. FP8's fast sums keep about 14: each of
// k / 32 steps may take 2^-14 off what was summed before.
double ToleranceOf(const GemmCase& c) {
  if (c.dtype == "w8a8_int8") return 0;
  if (c.dtype == "fp8") return 1e-2 + static_cast<double>(c.k) / 32 / 16384;
  return c.dtype == "fp16" ? 1e-3 : 5e-3;
}

// Eight rows by eight columns of y, spread over it, against dot products in
// double precision of the operands as the card holds them.
std::string CheckProduct(const GemmCase& c, const Operands& o, Bench& bench) {
  const auto spread = [](int64_t size) {
    std::vector<int64_t> at;
    for (int64_t i = 0; i < 8; ++i) at.push_back(i * (size - 1) / 7);
    at.erase(std::unique(at.begin(), at.end()), at.end());
    return at;
  };
  const auto row = [&](const char* matrix, int64_t r) {
    return ReadBack(matrix + SizeOf(r * c.k, c.dtype), c.k, c.dtype,
                    bench.stream);
  };
  const std::string type = TypeOfY(c);
  const int64_t y_size = type == "i32" ? 4 : 2;
  double scale = 1;
  if (c.quantised) scale = ReadBack(o.x_scale, 1, "fp32", bench.stream)[0];
  std::vector<Row> columns;
  for (const int64_t j : spread(c.n)) columns.push_back(row(o.w, j));
  std::vector<double> result, reference;
  for (const int64_t i : spread(c.m)) {
    const Row x = row(o.x, i);
    size_t column = 0;
    for (const int64_t j : spread(c.n)) {
      reference.push_back(scale * Dot(x, columns[column++]));
      result.push_back(
          ReadBack(o.y + (i * c.n + j) * y_size, 1, type, bench.stream)[0]);
    }
  }
  return Verdict(NameOf(c), RelativeError(result, reference), ToleranceOf(c));
}

// What the conversion gave, times its scale, is x to e4m3's 4 bits.
std::string CheckQuantised(const GemmCase& c, const Operands& o, Bench& bench) {
  const int64_t count = std::min<int64_t>(c.m * c.k, 65536);
  const double scale = ReadBack(o.x_scale, 1, "fp32", bench.stream)[0];
  std::vector<double> values = ReadBack(o.x, count, "fp8", bench.stream);
  for (double& v : values) v *= scale;
  return Verdict(
      NameOf(c) + " conversion",
      RelativeError(values, ReadBack(o.wide_x, count, "bf16", bench.stream)),
      4e-2);
}

// The fastest algorithm; none if every one is refused.
std::optional<int> Fastest(LtGemm& gemm, const Operands& o, Bench& bench) {
  std::optional<int> best;
  double best_us = 0;
  for (int a = 0; a < gemm.algorithms(); ++a) {
    const auto us = TimeOnce(bench, 2, [&](int run) {
      return gemm.Run(a, o.x, o.w + run % o.copies * o.w_bytes, o.y,
                      bench.stream) == CUBLAS_STATUS_SUCCESS;
    });
    if (us && (!best || *us < best_us)) {
      best = a;
      best_us = *us;
    }
  }
  return best;
}

}  // namespace

Outcome MeasureGemm(const GemmCase& c, const Effort& effort, Bench& bench) {
  if (c.dtype == "fp8" && bench.capability < 89) {
    return Skipped("FP8 is of compute capability 8.9 on");
  }
  const Operands o = Prepare(c, bench);
  if (!bench.arena.fits()) return Skipped("does not fit in memory");
  LtGemm gemm(c, effort.candidates, o.workspace, kWorkspaceBytes);
  if (c.dtype == "fp8") gemm.SetScales(o.x_scale, o.w_scale);
  const std::optional<int> algorithm = Fastest(gemm, o, bench);
  if (!algorithm) return Skipped("cuBLASLt has no algorithm for it");
  const auto launch = [&](int run) {
    if (c.quantised &&
        !QuantisePerTensor(
            o.wide_x, c.m * c.k,
            {o.amax, o.x_scale, reinterpret_cast<__nv_fp8_e4m3*>(o.x)},
            bench)) {
      return false;
    }
    return gemm.Run(*algorithm, o.x, o.w + run % o.copies * o.w_bytes, o.y,
                    bench.stream) == CUBLAS_STATUS_SUCCESS;
  };
  Poison(o.y, c.m * c.n * 4, bench.stream);
  if (c.quantised) Poison(o.x, c.m * c.k, bench.stream);
  if (!launch(0)) return Skipped("cuBLASLt refuses it");
  std::string wrong = CheckProduct(c, o, bench);
  if (wrong.empty() && c.quantised) wrong = CheckQuantised(c, o, bench);
  if (!wrong.empty()) return Wrong(wrong);
  Effort all = effort;
  all.runs = std::max(effort.runs, o.copies);  // every copy once per sample
  const double turned = static_cast<double>(o.w_bytes) * o.copies;
  return Timed(c, bench, all, launch,
               {"orrery-measure", CublasLtVersion(),
                turned > 2.0 * bench.card.l2CacheSize ? "cold" : "partial"});
}

}  // namespace tools
