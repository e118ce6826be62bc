// Prices of kernels, as search asks for them: every shape another one.
//
//   build/release/bench --benchmark_filter=GemmPrices
//
// `items_per_second` counts prices.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <random>
#include <vector>

#include "hardware/cost_model.h"
#include "models/op.h"

namespace {

// 4,096 products of 1 to 16,384 rows with weights as Transformers have them.
std::vector<models::Gemm> Shapes(models::Gemm like) {
  std::mt19937_64 random(1);
  const auto pick = [&random](int64_t count) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(count));
  };
  std::vector<models::Gemm> shapes;
  for (int i = 0; i < 4096; ++i) {
    like.m = pick(int64_t{1} << (1 + pick(14))) + 1;
    like.n = 256 * (pick(64) + 1);
    like.k = 256 * (pick(64) + 1);
    shapes.push_back(like);
  }
  return shapes;
}

void Price(benchmark::State& state, const char* gpu, const models::Gemm& like) {
  const hardware::CostModel model = hardware::CostModel::Load(gpu).value();
  const std::vector<models::Gemm> shapes = Shapes(like);
  for (auto _ : state) {
    for (const models::Gemm& gemm : shapes) {
      benchmark::DoNotOptimize(model.Of(gemm));
    }
  }
  state.SetItemsProcessed(state.iterations() *
                          static_cast<int64_t>(shapes.size()));
}

void GemmPricesH100(benchmark::State& state) {
  Price(state, "h100-sxm-80gb", {});
}
BENCHMARK(GemmPricesH100);

void GemmPricesA100(benchmark::State& state) {
  Price(state, "a100-sxm-80gb", {});
}
BENCHMARK(GemmPricesA100);

// Of another power limit than the one the law was fitted at.
void GemmPricesH100Of500Watts(benchmark::State& state) {
  Price(state, "h100-sxm-96gb-hbm2e", {});
}
BENCHMARK(GemmPricesH100Of500Watts);

void GemmPricesH100Fp8(benchmark::State& state) {
  Price(state, "h100-sxm-80gb",
        {.dtype = models::DType::kFp8, .family = models::GemmFamily::kCutlass});
}
BENCHMARK(GemmPricesH100Fp8);

}  // namespace
