// The experts of a layer: rows gathered by expert, cuBLAS's grouped GEMM, SiLU
// * mul, another grouped GEMM, and the weighted sum back. Which row goes where
// is given: the router, and the sorting after it, are not in the time.
#include <cublas_v2.h>
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/calibrate/measure/cuda_check.h"
#include "tools/calibrate/measure/families.h"
#include "tools/calibrate/measure/row_ops.h"
#include "tools/calibrate/measure/timing.h"
#include "tools/calibrate/measure/vectors.h"
#include "tools/calibrate/reference.h"

namespace tools {
namespace {

constexpr int kThreads = 256;

void CheckBlas(cublasStatus_t status, int line, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS) {
    Die(__FILE__, line, call, cublasGetStatusString(status));
  }
}
#define BLAS_CHECK(call) CheckBlas((call), __LINE__, #call)

class BlasHandle {
 public:
  BlasHandle() { BLAS_CHECK(cublasCreate(&handle_)); }
  ~BlasHandle() { cublasDestroy(handle_); }
  BlasHandle(const BlasHandle&) = delete;
  BlasHandle& operator=(const BlasHandle&) = delete;
  operator cublasHandle_t() const { return handle_; }

 private:
  cublasHandle_t handle_ = nullptr;
};

// Position p of the gathered rows holds token tokens[p]; token t's k-th row is
// at positions[t * topk + k].
struct Routes {
  std::vector<int> tokens, positions;
  std::vector<int64_t> loads;
};

// Tokens in turn: no expert has more rows than there are tokens, so none gets
// a token twice.
Routes MakeRoutes(const ExpertCase& c) {
  Routes routes;
  routes.loads = ExpertLoads(c);
  routes.positions.resize(static_cast<size_t>(c.tokens * c.topk));
  std::vector<int64_t> used(static_cast<size_t>(c.tokens), 0);
  for (int64_t p = 0; p < c.tokens * c.topk; ++p) {
    const int64_t token = p % c.tokens;
    routes.tokens.push_back(static_cast<int>(token));
    routes.positions[static_cast<size_t>(token * c.topk +
                                         used[static_cast<size_t>(token)]++)] =
        static_cast<int>(p);
  }
  return routes;
}

struct Tensors {
  Bf16 *x, *w1, *w2, *gathered, *middle, *active, *rows, *y;
  int *tokens, *positions;
};

__global__ void __launch_bounds__(kThreads)
    Gather(const Bf16* x, const int* tokens, Bf16* gathered, int hidden) {
  const int64_t to = int64_t{blockIdx.x} * hidden;
  const int64_t from = int64_t{tokens[blockIdx.x]} * hidden;
  for (int i = 8 * threadIdx.x; i < hidden; i += 8 * kThreads) {
    *reinterpret_cast<uint4*>(gathered + to + i) =
        *reinterpret_cast<const uint4*>(x + from + i);
  }
}

__global__ void __launch_bounds__(kThreads)
    Activate(const Bf16* gate_and_up, Bf16* out, int inter) {
  const Bf16* gate = gate_and_up + int64_t{blockIdx.x} * 2 * inter;
  for (int i = 8 * threadIdx.x; i < inter; i += 8 * kThreads) {
    float g[8], u[8];
    LoadEight(gate + i, g);
    LoadEight(gate + inter + i, u);
#pragma unroll
    for (int e = 0; e < 8; ++e) g[e] = u[e] * g[e] / (1 + __expf(-g[e]));
    StoreEight(g, out + int64_t{blockIdx.x} * inter + i);
  }
}

// Each of a token's rows weighs 1 / topk.
__global__ void __launch_bounds__(kThreads)
    Scatter(const Bf16* rows, const int* positions, Bf16* y, int hidden,
            int topk) {
  for (int i = 8 * threadIdx.x; i < hidden; i += 8 * kThreads) {
    float sum[8] = {};
    for (int k = 0; k < topk; ++k) {
      float row[8];
      LoadEight(rows + int64_t{positions[blockIdx.x * topk + k]} * hidden + i,
                row);
#pragma unroll
      for (int e = 0; e < 8; ++e) sum[e] += row[e] / topk;
    }
    StoreEight(sum, y + int64_t{blockIdx.x} * hidden + i);
  }
}

// y[p, :] = W_e x[p, :] for every expert e and its rows p: one group each.
class GroupedGemm {
 public:
  GroupedGemm(const Routes& routes, const Bf16* x, const Bf16* w, Bf16* y,
              int64_t n, int64_t k, Bench& bench) {
    std::vector<const void*> xs, ws;
    std::vector<void*> ys;
    int64_t row = 0;
    for (size_t e = 0; e < routes.loads.size(); ++e) {
      const int64_t load = routes.loads[e];
      if (load == 0) continue;
      ws.push_back(w + static_cast<int64_t>(e) * n * k);
      xs.push_back(x + row * k);
      ys.push_back(y + row * n);
      loads_.push_back(static_cast<int>(load));
      row += load;
    }
    const size_t groups = loads_.size();
    n_.assign(groups, static_cast<int>(n));
    k_.assign(groups, static_cast<int>(k));
    ones_.assign(groups, 1);
    alpha_.assign(groups, 1.0f);
    beta_.assign(groups, 0.0f);
    turned_.assign(groups, CUBLAS_OP_T);
    plain_.assign(groups, CUBLAS_OP_N);
    x_ = Upload(xs, bench);
    w_ = Upload(ws, bench);
    y_ = Upload(ys, bench);
  }

  // By columns, as cuBLAS has it: y^T = op(W) x^T.
  bool Run(cublasHandle_t handle) const {
    return cublasGemmGroupedBatchedEx(
               handle, turned_.data(), plain_.data(), n_.data(), loads_.data(),
               k_.data(), alpha_.data(), w_, CUDA_R_16BF, k_.data(), x_,
               CUDA_R_16BF, k_.data(), beta_.data(), y_, CUDA_R_16BF, n_.data(),
               static_cast<int>(loads_.size()), ones_.data(),
               CUBLAS_COMPUTE_32F) == CUBLAS_STATUS_SUCCESS;
  }

 private:
  template <class Pointer>
  static Pointer* Upload(const std::vector<Pointer>& host, Bench& bench) {
    auto* device = bench.arena.Take<Pointer>(static_cast<int64_t>(host.size()));
    if (!bench.arena.fits()) return nullptr;
    CUDA_CHECK(cudaMemcpy(device, host.data(), host.size() * sizeof(Pointer),
                          cudaMemcpyHostToDevice));
    return device;
  }

  std::vector<int> loads_, n_, k_, ones_;
  std::vector<float> alpha_, beta_;
  std::vector<cublasOperation_t> turned_, plain_;
  const void** x_ = nullptr;
  const void** w_ = nullptr;
  void** y_ = nullptr;
};

Tensors MakeTensors(const ExpertCase& c, const Routes& routes, Bench& bench) {
  Arena& arena = bench.arena;
  const int64_t rows = c.tokens * c.topk;
  Tensors t;
  t.x = arena.Take<Bf16>(c.tokens * c.hidden);
  t.w1 = arena.Take<Bf16>(c.experts * 2 * c.inter * c.hidden);
  t.w2 = arena.Take<Bf16>(c.experts * c.hidden * c.inter);
  t.gathered = arena.Take<Bf16>(rows * c.hidden);
  t.middle = arena.Take<Bf16>(rows * 2 * c.inter);
  t.active = arena.Take<Bf16>(rows * c.inter);
  t.rows = arena.Take<Bf16>(rows * c.hidden);
  t.y = arena.Take<Bf16>(c.tokens * c.hidden);
  t.tokens = arena.Take<int>(rows);
  t.positions = arena.Take<int>(rows);
  if (!arena.fits()) return t;
  // Deviations that keep what flows through near 1.
  const auto fill = [&](Bf16* tensor, int64_t size, double scale, int seed) {
    FillRandom(tensor, size, "bf16", scale, static_cast<uint64_t>(seed),
               bench.stream);
  };
  fill(t.x, c.tokens * c.hidden, 1, 71);
  fill(t.w1, c.experts * 2 * c.inter * c.hidden, 0.02, 72);
  fill(t.w2, c.experts * c.hidden * c.inter, 0.02, 73);
  Poison(t.y, static_cast<size_t>(c.tokens * c.hidden) * sizeof(Bf16),
         bench.stream);
  const size_t bytes = routes.tokens.size() * sizeof(int);
  CUDA_CHECK(cudaMemcpy(t.tokens, routes.tokens.data(), bytes,
                        cudaMemcpyHostToDevice));
  CUDA_CHECK(cudaMemcpy(t.positions, routes.positions.data(), bytes,
                        cudaMemcpyHostToDevice));
  return t;
}

// The expert of a gathered row.
int64_t ExpertOf(const Routes& routes, int64_t position) {
  int64_t end = 0;
  for (size_t e = 0; e < routes.loads.size(); ++e) {
    end += routes.loads[e];
    if (position < end) return static_cast<int64_t>(e);
  }
  return 0;
}

// Each stage against the reference, given the stage before it as the card has
// it, for the first, middle and last gathered row; all of the row, or, of the
// products, sixteen columns spread over it.
class StageCheck {
 public:
  StageCheck(const ExpertCase& c, const Routes& routes, const Tensors& t,
             Bench& bench)
      : c_(c), routes_(routes), t_(t), bench_(bench) {}

  std::string Run() const {
    const int64_t rows = c_.tokens * c_.topk;
    for (const int64_t p : {int64_t{0}, rows / 2, rows - 1}) {
      const int64_t expert = ExpertOf(routes_, p);
      std::string wrong = CheckProduct(
          "first product", t_.x, routes_.tokens[static_cast<size_t>(p)],
          t_.w1 + expert * 2 * c_.inter * c_.hidden, t_.middle, p, c_.hidden,
          2 * c_.inter);
      if (wrong.empty()) wrong = CheckActivation(p);
      if (wrong.empty()) {
        wrong = CheckProduct("second product", t_.active, p,
                             t_.w2 + expert * c_.hidden * c_.inter, t_.rows, p,
                             c_.inter, c_.hidden);
      }
      if (wrong.empty()) wrong = CheckSum(p % c_.tokens);
      if (!wrong.empty()) return wrong;
    }
    return "";
  }

 private:
  Row Read(const Bf16* tensor, int64_t row, int64_t width) const {
    return ReadBack(tensor + row * width, width, "bf16", bench_.stream);
  }

  std::string CheckProduct(const std::string& name, const Bf16* x,
                           int64_t x_row, const Bf16* w, const Bf16* y,
                           int64_t y_row, int64_t k, int64_t n) const {
    const Row in = Read(x, x_row, k), out = Read(y, y_row, n);
    Row expected, result;
    for (int64_t i = 0; i < 16; ++i) {
      const int64_t column = i * (n - 1) / 15;
      expected.push_back(Dot(in, Read(w, column, k)));
      result.push_back(out[static_cast<size_t>(column)]);
    }
    return Verdict(name + " of row " + std::to_string(y_row),
                   RelativeError(result, expected), 5e-3);
  }

  std::string CheckActivation(int64_t p) const {
    const Row middle = Read(t_.middle, p, 2 * c_.inter);
    Row expected;
    const auto inter = static_cast<size_t>(c_.inter);
    for (size_t i = 0; i < inter; ++i) {
      expected.push_back(Silu(middle[i]) * middle[inter + i]);
    }
    return Verdict("activation of row " + std::to_string(p),
                   RelativeError(Read(t_.active, p, c_.inter), expected), 5e-3);
  }

  std::string CheckSum(int64_t token) const {
    Row expected(static_cast<size_t>(c_.hidden), 0.0);
    for (int64_t k = 0; k < c_.topk; ++k) {
      const Row row = Read(
          t_.rows, routes_.positions[static_cast<size_t>(token * c_.topk + k)],
          c_.hidden);
      for (size_t i = 0; i < row.size(); ++i) {
        expected[i] += row[i] / static_cast<double>(c_.topk);
      }
    }
    return Verdict("sum of token " + std::to_string(token),
                   RelativeError(Read(t_.y, token, c_.hidden), expected), 5e-3);
  }

  const ExpertCase& c_;
  const Routes& routes_;
  const Tensors& t_;
  Bench& bench_;
};

}  // namespace

Outcome MeasureExperts(const ExpertCase& c, const Effort& effort,
                       Bench& bench) {
  if (c.dtype != "bf16") return Skipped("these kernels are of BF16");
  const Routes routes = MakeRoutes(c);
  const Tensors t = MakeTensors(c, routes, bench);
  if (!bench.arena.fits()) return Skipped("does not fit in memory");
  const GroupedGemm first(routes, t.gathered, t.w1, t.middle, 2 * c.inter,
                          c.hidden, bench);
  const GroupedGemm second(routes, t.active, t.w2, t.rows, c.hidden, c.inter,
                           bench);
  if (!bench.arena.fits()) return Skipped("does not fit in memory");
  const BlasHandle blas;
  BLAS_CHECK(cublasSetStream(blas, bench.stream));
  const auto rows = static_cast<unsigned>(c.tokens * c.topk);
  const auto hidden = static_cast<int>(c.hidden);
  const auto launch = [&](int) {
    Gather<<<rows, kThreads, 0, bench.stream>>>(t.x, t.tokens, t.gathered,
                                                hidden);
    if (!first.Run(blas)) return false;
    Activate<<<rows, kThreads, 0, bench.stream>>>(t.middle, t.active,
                                                  static_cast<int>(c.inter));
    if (!second.Run(blas)) return false;
    Scatter<<<static_cast<unsigned>(c.tokens), kThreads, 0, bench.stream>>>(
        t.rows, t.positions, t.y, hidden, static_cast<int>(c.topk));
    return cudaGetLastError() == cudaSuccess;
  };
  if (!launch(0)) return Skipped("cuBLAS refuses grouped products of BF16");
  const std::string wrong = StageCheck(c, routes, t, bench).Run();
  if (!wrong.empty()) return Wrong(wrong);
  int version = 0;
  BLAS_CHECK(cublasGetVersion(blas, &version));
  const bool cold = WorkOf(c).bytes > 2.0 * bench.card.l2CacheSize;
  return Timed(c, bench, effort, launch,
               {"orrery-measure-grouped", "cublas-" + std::to_string(version),
                cold ? "cold" : "partial"});
}

}  // namespace tools
