#include "hardware/gemm_cost.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "hardware/cost_model.h"

namespace hardware {
namespace {

using models::DType;
using models::Gemm;
using models::GemmFamily;

constexpr double kMostRows = 1e12;

// Numbers that divide: 100 multiprocessors of 1 TFLOP/s, fed 1 TB/s each;
// 1000 GB/s of memory; one tile of 100 x 100, hard waves, no splits.
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
  model.calibration.gemm.of[GemmFamily::kCublas] = {
      .launch_seconds = 1e-6,
      .l2_per_sm = 1e12,
      .asynchronous_copies = true,
      .tiles = {{100, 100, 1, kMostRows}}};
  return model;
}

// The round model, whose cuBLAS law is as `edit` leaves it.
template <class Edit>
CostModel With(Edit edit) {
  CostModel model = Round();
  edit(model.calibration.gemm.of[GemmFamily::kCublas]);
  return model;
}

KernelCost Cost(const CostModel& model, const Gemm& gemm, L2 l2 = L2::kCold) {
  return CostOf(model.gpu, model.calibration, gemm, l2);
}

TEST(GemmCost, CountsWholeWavesOfTiles) {
  const CostModel model =
      With([](GemmLaw& law) { law.turnover_seconds = 2e-6; });
  // One tile on one of 100 multiprocessors: 2 * 100 * 100 * 6400 FLOPs at
  // 1 TFLOP/s = 128 us.
  EXPECT_NEAR(Cost(model, {.m = 100, .n = 100, .k = 6400}).compute, 128e-6,
              1e-12);
  // 100 tiles are one wave and take no longer.
  EXPECT_NEAR(Cost(model, {.m = 1000, .n = 1000, .k = 6400}).compute, 128e-6,
              1e-12);
  // One row more: 110 tiles, a second wave, 2 us after the first.
  EXPECT_NEAR(Cost(model, {.m = 1001, .n = 1000, .k = 6400}).compute, 258e-6,
              1e-12);
  // Ten products of 11 tiles are as many.
  EXPECT_NEAR(
      Cost(model, {.batch = 10, .m = 1001, .n = 100, .k = 6400}).compute,
      258e-6, 1e-12);
}

TEST(GemmCost, OfSoftWavesATileMoreCostsATileMore) {
  // 110 tiles on 100 multiprocessors: 1.1 waves, and half as hard 1.55.
  const Gemm gemm{.m = 1001, .n = 1000, .k = 6400};
  const auto with_hardness = [&](double hardness) {
    return Cost(With([=](GemmLaw& law) { law.wave_hardness = hardness; }), gemm)
        .compute;
  };
  EXPECT_NEAR(with_hardness(0), 1.1 * 128e-6, 1e-12);
  EXPECT_NEAR(with_hardness(0.5), 1.55 * 128e-6, 1e-12);
}

TEST(GemmCost, StepsThroughKBy64) {
  // 65 is two steps: 2 * 100 * 100 * 128 FLOPs at 1 TFLOP/s = 2.56 us.
  EXPECT_NEAR(Cost(Round(), {.m = 100, .n = 100, .k = 65}).compute, 2.56e-6,
              1e-14);
}

TEST(GemmCost, FeedsATileFromL2WhileItMultiplies) {
  // 200 elements of 2 bytes a step at 10 GB/s = 40 ns; 20,000 FLOPs at
  // 1 TFLOP/s = 20 ns. Times 6400 steps.
  const Gemm gemm{.m = 100, .n = 100, .k = 6400};
  const auto fed = [](bool asynchronous) {
    return With([=](GemmLaw& law) {
      law.l2_per_sm = 10e9;
      law.asynchronous_copies = asynchronous;
    });
  };
  EXPECT_NEAR(Cost(fed(true), gemm).compute, 256e-6, 1e-12);
  // Where the same warps fetch and multiply: sqrt(40^2 + 20^2) = 44.72 ns.
  EXPECT_NEAR(Cost(fed(false), gemm).compute, 6400 * std::sqrt(2000) * 1e-9,
              1e-12);
}

TEST(GemmCost, IsHeldBackByThePowerLimit) {
  CostModel model = Round();
  for (double& fraction : model.calibration.power.sustained) fraction = 0.5;
  // A full wave of 128 us would run at the peak, 100 TFLOP/s; the board
  // sustains half of it.
  EXPECT_NEAR(Cost(model, {.m = 1000, .n = 1000, .k = 6400}).compute, 256e-6,
              1e-12);
}

TEST(GemmCost, TakesTheTileThatIsFastestAtTheClock) {
  // 400 tiles of 100 x 100 are 4 waves of 12.8 us and end 2 us each apart: 57.2
  // us; one wave of 200 x 200 takes 51.2 us and 5 us to write out. At half the
  // clock 114.4 us against 102.4 + 5, of which the epilogue is no part.
  const CostModel model = With([](GemmLaw& law) {
    law.turnover_seconds = 2e-6;
    law.epilogue_seconds = 5e-6 / 40'000 * (128 * 128);
    law.tiles = {{100, 100, 1, kMostRows}, {200, 200, 1, kMostRows}};
  });
  const Gemm gemm{.m = 2000, .n = 2000, .k = 640};
  const auto at = [&](double clock) {
    return CostOf(model.gpu, model.calibration, gemm, L2::kCold, clock);
  };
  EXPECT_NEAR(at(1).compute, 51.2e-6, 1e-12);
  EXPECT_NEAR(at(0.5).compute, 102.4e-6, 1e-12);
  EXPECT_NEAR(at(0.5).fixed, at(1).fixed, 1e-15);
}

TEST(GemmCost, ReadsAAndBOnceAndWritesCOnce) {
  const CostModel model = With([](GemmLaw& law) {
    law.memory_seconds = 1e-6;
    law.warm_miss = 0.5;
  });
  // 1 us until the first bytes; 2 bytes * (100 * 6400 + 6400 * 100 + 100 * 100)
  // = 2.58 MB at 1000 GB/s.
  Gemm gemm{.m = 100, .n = 100, .k = 6400};
  EXPECT_NEAR(Cost(model, gemm).memory, 3.58e-6, 1e-12);
  // Warm: half of B, 1.28 MB, misses.
  EXPECT_NEAR(Cost(model, gemm, L2::kWarm).memory, 2.94e-6, 1e-12);
  // FP32 gradients summed in place: 4 bytes of C, read and written: 2.56 +
  // 0.08.
  gemm.output = DType::kFp32;
  gemm.accumulate = true;
  EXPECT_NEAR(Cost(model, gemm).memory, 3.64e-6, 1e-12);
  // INT4 weights: 0.32 MB for 1.28.
  gemm.weight = DType::kInt4;
  EXPECT_NEAR(Cost(model, gemm).memory, 2.68e-6, 1e-12);
  const models::Work work = models::WorkOf(gemm);
  EXPECT_EQ((work.read + work.written).count(), 1'280'000 + 320'000 + 80'000);
}

TEST(GemmCost, WritesTheLastTileOut) {
  // A quarter of the time of 128 x 128 for a tile of 64 x 64.
  const CostModel model = With([](GemmLaw& law) {
    law.epilogue_seconds = 4e-6;
    law.tiles = {{64, 64, 1, kMostRows}};
  });
  EXPECT_NEAR(Cost(model, {.m = 64, .n = 64, .k = 64}).fixed, 1e-6 + 1e-6,
              1e-14);
}

CostModel Splitting(int waves) {
  return With([=](GemmLaw& law) {
    law.split_waves = waves;
    law.l2_per_sm = 40e9;  // 400 bytes a step in 10 ns
    law.split_seconds = 3e-6;
    law.reduction_rate = 100e12;
  });
}

TEST(GemmCost, SplitsALongSumOverIdleMultiprocessors) {
  // One tile, k = 6400, 100 steps of 64: as many parts as multiprocessors, each
  // 1.28 us; and the reduction 3 us + 8 * 100 * 100 * 100 bytes / 100 TB/s.
  const KernelCost one = Cost(Splitting(1), {.m = 100, .n = 100, .k = 6400});
  EXPECT_NEAR(one.compute, 1.28e-6, 1e-12);
  EXPECT_NEAR(one.fixed, 1e-6 + 3e-6 + 0.08e-6, 1e-12);
  // 40 tiles: two parts of 50 steps fill one wave: 20,000 FLOPs * 3200 at
  // 1 TFLOP/s = 64 us. Five of 20 steps fill two: 2 * 25.6 us.
  const Gemm forty{.m = 400, .n = 1000, .k = 6400};
  EXPECT_NEAR(Cost(Splitting(1), forty).compute, 64e-6, 1e-12);
  EXPECT_NEAR(Cost(Splitting(2), forty).compute, 51.2e-6, 1e-12);
}

TEST(GemmCost, SplitsNoFurtherThanTheReductionIsWorth) {
  CostModel model = Splitting(1);
  model.calibration.gemm.of[GemmFamily::kCublas].reduction_rate = 1e9;
  // A part costs 8 * 100 * 100 / 1 GB/s = 80 us, feeding the tile
  // 10 ns * 128,000 = 1280 us: sqrt(1280 / 80) = 4 parts of 20,000 FLOPs *
  // 32,000 at 1 TFLOP/s = 640 us.
  const KernelCost cost = Cost(model, {.m = 100, .n = 100, .k = 128'000});
  EXPECT_NEAR(cost.compute, 640e-6, 1e-10);
  EXPECT_NEAR(cost.fixed, 1e-6 + 3e-6 + 4 * 80e-6, 1e-12);
}

TEST(GemmCost, TakesTheFastestTileOfThoseForItsRows) {
  const CostModel model = With([](GemmLaw& law) {
    law.tiles = {{10, 100, 1, 50}, {100, 100, 51, kMostRows}};
  });
  // 50 rows: 5 tiles of 10 x 100, on as many multiprocessors: 12.8 us.
  EXPECT_NEAR(Cost(model, {.m = 50, .n = 100, .k = 6400}).compute, 12.8e-6,
              1e-12);
  // 51 rows: the library has no more such tiles.
  EXPECT_NEAR(Cost(model, {.m = 51, .n = 100, .k = 6400}).compute, 128e-6,
              1e-12);
}

TEST(GemmCost, IsSlowerWhereRowsAreNoMultipleOf16Bytes) {
  const CostModel model = With([](GemmLaw& law) {
    law.narrow_copies = 0.8;
    law.element_copies = 0.5;
  });
  // One tile of 100 x 100 and 6400 steps: 128 us, as above; 96 and 100 columns
  // are one tile alike.
  const auto compute = [&](int64_t n, int64_t k, DType dtype) {
    return Cost(model, {.m = 100, .n = n, .k = k, .dtype = dtype}).compute;
  };
  EXPECT_NEAR(compute(96, 6400, DType::kBf16), 128e-6, 1e-12);
  // 98 columns: copies of 4 bytes; 97: of 2.
  EXPECT_NEAR(compute(98, 6400, DType::kBf16), 160e-6, 1e-12);
  EXPECT_NEAR(compute(97, 6400, DType::kBf16), 256e-6, 1e-12);
  // A sum over 6399 is as long as one over 6400, and its rows are as odd.
  EXPECT_NEAR(compute(96, 6399, DType::kBf16), 256e-6, 1e-12);
}

TEST(QuantiseCost, IsALaunchAndTheBytesInAndOut) {
  CostModel model = Round();
  GemmLaw& law = model.calibration.gemm.of[GemmFamily::kCutlass];
  law.quantise_seconds = 2e-6;
  law.quantise_per_sm = 6e9;
  // 10 M elements of 2 bytes in and 1 out: 30 MB at 100 * 6 GB/s.
  models::Quantise quantise{.rows = 1000, .columns = 10'000};
  EXPECT_NEAR(sim::InMicroseconds(model.Of(quantise).time), 2 + 50, 1e-6);
  EXPECT_EQ(models::Dump(quantise),
            "quantise 1000x10000 bf16 to fp8 for cutlass");
  // Memory moves no more than 1000 GB/s.
  law.quantise_per_sm = 60e9;
  EXPECT_NEAR(sim::InMicroseconds(model.Of(quantise).time), 2 + 30, 1e-6);
}

TEST(SustainedRate, FollowsThePowerLimit) {
  CostModel model = Round();
  for (double& fraction : model.calibration.power.sustained) fraction = 0.5;
  GpuSpec gpu = model.gpu;
  // At the reference's 400 W: 0.5 of 100 TFLOP/s.
  EXPECT_NEAR(SustainedRate(gpu, model.calibration.power, DType::kBf16), 50e12,
              1);
  // At 160 W: ((160 - 80) / (400 - 80))^0.5 = 0.5 of that.
  gpu.power_watts = 160;
  EXPECT_NEAR(SustainedRate(gpu, model.calibration.power, DType::kBf16), 25e12,
              1);
  // However much power there is, never more than the peak.
  gpu.power_watts = 40000;
  EXPECT_NEAR(SustainedRate(gpu, model.calibration.power, DType::kBf16), 100e12,
              1);
}

TEST(CheckGemm, SaysWhichFamilyAGpuLacks) {
  const CostModel a100 = CostModel::Load("a100-sxm-80gb").value();
  EXPECT_EQ(
      a100.Check(Gemm{.dtype = DType::kInt8, .family = GemmFamily::kDeepGemm})
          .message(),
      "no deepgemm GEMM is calibrated for a100-sxm-80gb");
  EXPECT_EQ(a100.Check(Gemm{.weight = DType::kInt4}).message(),
            "cublas GEMMs have both operands of one type; int4 weights are for "
            "weight-only");
  EXPECT_EQ(
      a100.Check(models::Quantise{.family = GemmFamily::kCutlass}).message(),
      "no quantisation for cutlass GEMMs is calibrated for a100-sxm-80gb");
  EXPECT_TRUE(a100.Check(Gemm{.weight = DType::kInt4,
                              .family = GemmFamily::kWeightOnly})
                  .ok());
}

// ---- Properties of every GPU file, over a seeded sweep of shapes.

class EveryGpusGemms : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    absl::StatusOr<CostModel> loaded = CostModel::Load(GetParam());
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    model_ = *std::move(loaded);
  }
  // FLOPs / peak or bytes / bandwidth, whichever is longer.
  sim::Duration Roofline(const models::Kernel& kernel, DType dtype) const {
    const models::Work work = models::WorkOf(kernel);
    return std::max(work.flops / model_.gpu.peak[dtype],
                    (work.read + work.written) / model_.gpu.memory_bandwidth);
  }
  CostModel model_;
};

// Every family, in a type that it multiplies.
std::vector<Gemm> Families() {
  return {{.dtype = DType::kBf16},
          {.dtype = DType::kTf32},
          {.dtype = DType::kFp8},
          {.dtype = DType::kFp16, .family = GemmFamily::kCublas2024},
          {.dtype = DType::kFp8, .family = GemmFamily::kCutlass},
          {.dtype = DType::kFp8, .family = GemmFamily::kDeepGemm},
          {.dtype = DType::kFp8, .family = GemmFamily::kTensorRtLlmBlocks},
          {.dtype = DType::kInt8, .family = GemmFamily::kTensorRtLlmInt8},
          {.weight = DType::kInt8, .family = GemmFamily::kWeightOnly},
          {.weight = DType::kInt4, .family = GemmFamily::kWeightOnly}};
}

TEST_P(EveryGpusGemms, NeverBeatTheRooflineAndAreFasterWarm) {
  std::mt19937_64 random(2);
  const auto size = [&random](int64_t most) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(most)) + 1;
  };
  for (Gemm gemm : Families()) {
    if (!model_.Check(gemm).ok()) continue;
    for (int i = 0; i < 1000; ++i) {
      gemm.batch = size(4);
      gemm.m = size(1 << (i % 15));
      gemm.n = size(16384);
      gemm.k = size(16384);
      const sim::Duration cold = model_.Of(gemm).time;
      EXPECT_GE(cold, Roofline(gemm, gemm.dtype)) << models::Dump(gemm);
      EXPECT_LE(model_.Of(gemm, L2::kWarm).time, cold) << models::Dump(gemm);
      const models::Quantise quantise{
          .rows = gemm.m, .columns = gemm.k, .family = gemm.family};
      if (!model_.Check(quantise).ok()) continue;
      EXPECT_GE(model_.Of(quantise).time, Roofline(quantise, DType::kBf16))
          << models::Dump(quantise);
    }
  }
}

// Tiles and splits come in whole numbers, so a product may be a little faster
// than a smaller one, as it is on a GPU: by less than 3 %. Rows are multiples of
// 16 bytes; others cost more than longer ones that are.
TEST_P(EveryGpusGemms, OfCublasHardlyEverCostLessWhenTheyGrow) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 2000; ++i) {
    Gemm gemm{.m = static_cast<int64_t>(random() % 4096 + 1),
              .n = static_cast<int64_t>(8 * (random() % 1024 + 1)),
              .k = static_cast<int64_t>(8 * (random() % 1024 + 1))};
    const double before = sim::InMicroseconds(model_.Of(gemm).time);
    int64_t* const sizes[] = {&gemm.m, &gemm.n, &gemm.k, &gemm.batch};
    int64_t& grown = *sizes[random() % 4];
    grown += static_cast<int64_t>(8 * (random() % 128 + 1));
    EXPECT_GE(sim::InMicroseconds(model_.Of(gemm).time), 0.97 * before)
        << models::Dump(gemm) << " of sweep 3";
  }
}

TEST_P(EveryGpusGemms, AreNeverSlowerOnAFasterGpu) {
  CostModel faster = model_;
  for (sim::FlopsPerSecond& peak : faster.gpu.peak) {
    peak = sim::FlopsPerSecond(peak.count() * 1.5);
  }
  faster.gpu.memory_bandwidth =
      sim::BytesPerSecond(model_.gpu.memory_bandwidth.count() * 1.5);
  std::mt19937_64 random(4);
  for (Gemm gemm : Families()) {
    if (!model_.Check(gemm).ok()) continue;
    for (int i = 0; i < 500; ++i) {
      gemm.m = static_cast<int64_t>(random() % 4096 + 1);
      gemm.n = static_cast<int64_t>(random() % 8192 + 1);
      gemm.k = static_cast<int64_t>(random() % 8192 + 1);
      EXPECT_LE(faster.Of(gemm).time, model_.Of(gemm).time)
          << models::Dump(gemm) << " of sweep 4";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Gpus, EveryGpusGemms, ::testing::ValuesIn(GpuNames()),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace hardware
