#include "hardware/expert_cost.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "hardware/cost_model.h"
#include "models/expert_layer.h"
#include "models/expert_load.h"

namespace hardware {
namespace {

using models::DType;
using models::ExpertKernels;
using models::GroupedGemm;
using models::RowsOf;

// 100 multiprocessors of 1 TFLOP/s and 10 GB/s each; every constant a round
// number.
CostModel Round() {
  CostModel model;
  model.gpu = {.name = "round",
               .calibration = "round",
               .multiprocessors = 100,
               .power_watts = 400,
               .memory_capacity = sim::GiB(80),
               .memory_bandwidth = sim::GBps(1000),
               .l2 = sim::MiB(40),
               .nvlink_bandwidth = {},
               .pcie_bandwidth = {},
               .peak = sim::Column<DType, sim::FlopsPerSecond>(
                   kDTypes, sim::TeraFlopsPerSecond(100))};
  model.calibration.power = {
      .reference_watts = 400,
      .static_watts = 80,
      .exponent = 0.5,
      .sustained = sim::Column<DType, double>(kDTypes, 1)};
  model.calibration.expert.of[0][DType::kBf16] = {.launch_seconds = 3e-6,
                                                  .expert_seconds = 1e-6,
                                                  .tensor_efficiency = 0.5,
                                                  .l2_per_sm = 1e15,
                                                  .tile_seconds = 0,
                                                  .tail = 1,
                                                  .memory_efficiency = 0.5,
                                                  .memory_per_sm = 10e9,
                                                  .permute_efficiency = 0.25,
                                                  .pass_efficiency = 0.5,
                                                  .tiles = {{64, 100}}};
  return model;
}

KernelCost CostOf(const CostModel& model, const GroupedGemm& gemm) {
  return hardware::CostOf(model.gpu, model.calibration, gemm);
}

TEST(GroupedGemmCost, IsTilesInWavesAndBytesOfUsedWeights) {
  // Four experts, two of them used, by 65 and 3 rows: 2 + 1 tiles of 64 rows,
  // times 5000 / 100 columns: 150 tiles, two waves of 100 multiprocessors. One
  // tile is 2 · 64 · 100 · 1000 FLOPs at 0.5 TFLOP/s: 25.6 us. Bytes: (2 · 5000
  // + 68) · 1000 · 2 in, 68 · 5000 · 2 out at 500 GB/s.
  const GroupedGemm gemm{
      .rows = RowsOf(std::vector<int64_t>{65, 0, 3, 0}), .n = 5000, .k = 1000};
  const KernelCost cost = CostOf(Round(), gemm);
  EXPECT_DOUBLE_EQ(cost.fixed, 3e-6);
  EXPECT_DOUBLE_EQ(cost.compute, 2 * 25.6e-6);
  EXPECT_DOUBLE_EQ(cost.memory, (10068e3 * 2 + 68 * 5000 * 2) / 500e9);
}

TEST(GroupedGemmCost, DrawsMemoryWithAsManyMultiprocessorsAsItHasTiles) {
  // One expert, 1000 columns: ten tiles of 10 GB/s, far below 500.
  const GroupedGemm gemm{
      .rows = RowsOf(std::vector<int64_t>{1}), .n = 1000, .k = 1000};
  EXPECT_DOUBLE_EQ(CostOf(Round(), gemm).memory,
                   (1001e3 * 2 + 1000 * 2) / 100e9);
}

TEST(GroupedGemmCost, FollowsAFixedTile) {
  // 16 x 50: 65 rows are 5 tiles high, 1000 columns 20 wide: one wave of 100,
  // 2 · 16 · 50 · 1000 FLOPs at 0.5 TFLOP/s each.
  const GroupedGemm gemm{.rows = RowsOf(std::vector<int64_t>{65}),
                         .n = 1000,
                         .k = 1000,
                         .tile_m = 16,
                         .tile_n = 50};
  EXPECT_DOUBLE_EQ(CostOf(Round(), gemm).compute, 3.2e-6);
}

TEST(GroupedGemmCost, IsALaunchWithoutRows) {
  EXPECT_EQ(CostOf(Round(), {.rows = {}, .n = 1000, .k = 1000}).seconds(),
            3e-6);
}

TEST(ExpertPassCost, IsLaunchesExpertsAndBytes) {
  models::ExpertPass pass{.step = models::ExpertStep::kPermute,
                          .read = sim::Bytes(1'000'000),
                          .written = sim::Bytes(500'000),
                          .kernels = 2,
                          .experts = 8};
  const CostModel model = Round();
  KernelCost cost = CostOf(model.gpu, model.calibration, pass);
  // Two launches of 3 us, eight experts of 1 us; 1.5 MB at a quarter of 1 TB/s.
  EXPECT_DOUBLE_EQ(cost.fixed, 14e-6);
  EXPECT_DOUBLE_EQ(cost.memory, 6e-6);
  pass.step = models::ExpertStep::kActivation;
  cost = CostOf(model.gpu, model.calibration, pass);
  EXPECT_DOUBLE_EQ(cost.fixed, 6e-6);
  EXPECT_DOUBLE_EQ(cost.memory, 3e-6);
}

// ---- Calibrated GPUs

CostModel Load(const char* gpu) { return *CostModel::Load(gpu); }

models::ExpertLayer DeepSeek(int64_t tokens, double alpha) {
  const models::Routing routing{
      .tokens = tokens, .experts = 256, .top_k = 8, .ranks = 32};
  return {.tokens = tokens,
          .choices = tokens * 8,
          .hidden = 7168,
          .inter = 2048,
          .experts = 8,
          .rows = alpha > 0 ? models::PowerLawRows(routing, {.alpha = alpha})
                            : models::BalancedRows(routing)};
}

sim::Duration TimeOf(const CostModel& model, const models::ExpertLayer& layer) {
  sim::Duration time;
  for (const models::Kernel& kernel : models::ExpertLayerKernels(layer)) {
    EXPECT_TRUE(model.Check(kernel).ok()) << model.Check(kernel);
    time += model.Of(kernel).time;
  }
  return time;
}

constexpr struct {
  const char* gpu;
  ExpertKernels family;
  DType dtype;
} kLaws[] = {
    {"a100-sxm-80gb", ExpertKernels::kTriton, DType::kBf16},
    {"a100-sxm-80gb", ExpertKernels::kCutlass, DType::kBf16},
    {"h100-sxm-80gb", ExpertKernels::kTriton, DType::kBf16},
    {"h100-sxm-80gb", ExpertKernels::kTriton, DType::kFp8},
    {"h100-sxm-80gb", ExpertKernels::kCutlass, DType::kBf16},
    {"h100-sxm-80gb", ExpertKernels::kCutlass, DType::kFp8},
    {"h200-sxm-141gb", ExpertKernels::kTriton, DType::kBf16},
};

TEST(ExpertLayerCost, GrowsWithTokensAndSkew) {
  for (const auto& [gpu, family, dtype] : kLaws) {
    const CostModel model = Load(gpu);
    sim::Duration before;
    for (int64_t tokens = 32; tokens <= 65536; tokens *= 2) {
      models::ExpertLayer even = DeepSeek(tokens, 0);
      models::ExpertLayer skewed = DeepSeek(tokens, 1.2);
      even.family = skewed.family = family;
      even.dtype = skewed.dtype = dtype;
      const sim::Duration time = TimeOf(model, even);
      EXPECT_GT(time, before) << gpu << " " << tokens;
      if (tokens >= 512) {  // with fewer, it leaves some experts without any
        EXPECT_LT(time, TimeOf(model, skewed)) << gpu << " " << tokens;
      }
      before = time;
    }
  }
}

TEST(ExpertLayerCost, IsNeverBelowTheRoofline) {
  for (const auto& [gpu, family, dtype] : kLaws) {
    const CostModel model = Load(gpu);
    for (const int64_t tokens : {1, 7, 64, 500, 4096, 100'000}) {
      models::ExpertLayer layer = DeepSeek(tokens, 1.2);
      layer.family = family;
      layer.dtype = dtype;
      for (const models::Kernel& kernel : models::ExpertLayerKernels(layer)) {
        const models::Work work = models::WorkOf(kernel);
        const sim::Duration least =
            std::max(work.flops / model.gpu.peak[dtype],
                     (work.read + work.written) / model.gpu.memory_bandwidth);
        EXPECT_GE(model.Of(kernel).time, least)
            << gpu << " " << models::Dump(kernel);
      }
    }
  }
}

TEST(ExpertLayerCost, NeedsConstantsOfItsKernels) {
  const GroupedGemm gemm{.rows = RowsOf(std::vector<int64_t>{1}),
                         .n = 64,
                         .k = 64,
                         .dtype = DType::kInt8};
  EXPECT_EQ(Load("h100-sxm-80gb").Check(gemm).message(),
            "no triton expert kernels in int8 are calibrated for "
            "h100-sxm-80gb");
}

}  // namespace
}  // namespace hardware
