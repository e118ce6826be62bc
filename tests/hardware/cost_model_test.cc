#include "hardware/cost_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "hardware/attention_cost.h"
#include "hardware/memory_bound_cost.h"

namespace hardware {
namespace {

using models::AttentionFamily;
using models::DType;
using models::Pointwise;
using models::PointwiseFamily;

// One multiprocessor-sized tile, one wave, numbers that divide: 100
// multiprocessors of 1 TFLOP/s and 10 GB/s each.
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
  Calibration& c = model.calibration;
  c.power = {.reference_watts = 400,
             .static_watts = 80,
             .exponent = 0.5,
             .sustained = sim::Column<DType, double>(kDTypes, 0.5)};
  c.gemm.of[models::GemmFamily::kCublas] = {
      .launch_seconds = 1e-6, .l2_per_sm = 1e12, .tiles = {{100, 100, 1, 1e9}}};
  const AttentionLaw law{.launch_seconds = 1e-6,
                         .efficiency = 1,
                         .half_dim = 128,
                         .tile_seconds = 0,
                         .tail = 0,
                         .memory_efficiency = 1};
  c.attention.forward =
      sim::Column<AttentionFamily, AttentionLaw>(kAttentionFamilies, law);
  c.attention.backward = c.attention.forward;
  using Kinds = sim::Column<Pointwise, MemoryBoundKernel>;
  c.memory_bound = {.kernels = sim::Column<PointwiseFamily, Kinds>(
                        kPointwiseFamilies, Kinds(kPointwiseKinds)),
                    .memory_efficiency = 0.5,
                    .l2_per_sm = 10e9,  // 1000 GB/s of 100
                    .l2_held = 0.5,
                    .l2_lost = 1};
  c.memory_bound.kernels[PointwiseFamily::kPyTorch] =
      Kinds(kPointwiseKinds, {.launch_seconds = 2e-6, .per_sm = 1e15});
  return model;
}

TEST(AttentionCost, PassesOverTheVisibleBlocks) {
  const CostModel model = Round();
  // 100 heads, 1024 queries: 8 blocks of queries each, 8 waves in all. Full:
  // each sees 8 blocks of keys, 2 products of 2 * 128 * 128 * 128 FLOPs. At
  // d = half_dim the rate is half of 1 TFLOP/s:
  //   8 * 8 * 2 * 2 * 128^3 / 0.5e12 = 1073.7 us.
  models::Attention a{.batch = 1,
                      .heads = 100,
                      .kv_heads = 100,
                      .queries = 1024,
                      .keys = 1024,
                      .head_dim = 128,
                      .value_head_dim = 128,
                      .causal = false};
  EXPECT_NEAR(InMicroseconds(model.Of(a).time), 1073.7 + 1, 0.5);
  // Causal: (8 + 1) / 2 blocks on average: 9/16 of it.
  a.causal = true;
  EXPECT_NEAR(InMicroseconds(model.Of(a).time), 1073.7 * 9 / 16 + 1, 0.5);
  // Backward: five products for two.
  a.backward = true;
  EXPECT_NEAR(InMicroseconds(model.Of(a).time), 1073.7 * 9 / 16 * 2.5 + 1, 1);
}

TEST(AttentionCost, WindowsPassOverTheBlocksThatHoldTheirKeys) {
  const CostModel model = Round();
  models::Attention a{.batch = 1,
                      .heads = 100,
                      .kv_heads = 100,
                      .queries = 1024,
                      .keys = 1024,
                      .head_dim = 128,
                      .value_head_dim = 128};
  const double whole = CostOf(model.gpu, model.calibration, a).compute;
  a.window = 257;
  // The 257 keys of a query lie in up to 3 blocks of 128: the 8 tiles pass over
  // 1, 2, 3, 3, … = 21 blocks instead of 1 + … + 8 = 36.
  EXPECT_NEAR(CostOf(model.gpu, model.calibration, a).compute / whole,
              21.0 / 36, 1e-9);
  a.window = 5000;
  EXPECT_EQ(CostOf(model.gpu, model.calibration, a).compute, whole);
}

TEST(AttentionCost, PackedHeadsShareTiles) {
  CostModel model = Round();
  // 8 query heads on one key head, 16 queries, 1024 keys: 8 tiles of 64 rows,
  // mostly padding, each over 8 blocks: 8 * 2 * 2 * 64 * 128 * 128 FLOPs at
  // 0.5 TFLOP/s = 67.1 us on 8 of 100 multiprocessors.
  const models::Attention a{.batch = 1,
                            .heads = 8,
                            .kv_heads = 1,
                            .queries = 16,
                            .keys = 1024,
                            .head_dim = 128,
                            .value_head_dim = 128};
  EXPECT_NEAR(CostOf(model.gpu, model.calibration, a).compute, 67.1e-6, 1e-7);
  // Packed: 128 rows fill one tile, twice as high.
  for (AttentionLaw& law : model.calibration.attention.forward) {
    law.packs_heads = true;
  }
  EXPECT_NEAR(CostOf(model.gpu, model.calibration, a).compute, 134.2e-6, 1e-7);
}

TEST(AttentionCost, EightBitProductsLeaveTheSoftmaxAsSlow) {
  CostModel model = Round();
  model.gpu.peak[DType::kFp8] = sim::TeraFlopsPerSecond(200);
  models::Attention a{.batch = 1,
                      .heads = 100,
                      .kv_heads = 100,
                      .queries = 1024,
                      .keys = 1024,
                      .head_dim = 128,
                      .value_head_dim = 128};
  const double bf16 = CostOf(model.gpu, model.calibration, a).compute;
  a.dtype = DType::kFp8;
  const double fp8 = CostOf(model.gpu, model.calibration, a).compute;
  // d / (d + half_dim) = 128 / 256 of 1 TFLOP/s; 128 / (128 + 256) of 2
  // TFLOP/s: 4/3 as fast, where the products alone would be 2.
  EXPECT_NEAR(bf16 / fp8, 4.0 / 3, 1e-9);
}

// 60 MB read and 40 MB written by 4 kernels.
models::MemoryBound FourKernels() {
  return {.kind = Pointwise::kNorm,
          .read = sim::Bytes(60'000'000),
          .written = sim::Bytes(40'000'000),
          .flops = {},
          .kernels = 4};
}

double SecondsOf(const CostModel& model, const models::MemoryBound& kernel,
                 L2 l2 = L2::kCold) {
  return CostOf(model.gpu, model.calibration, kernel, l2).seconds();
}

// The round model, whose vllm-2024 norms move what `edit` says.
template <class Edit>
CostModel WithVllmNorm(Edit edit) {
  CostModel model = Round();
  MemoryBoundKernel& norm =
      model.calibration.memory_bound
          .kernels[PointwiseFamily::kVllm2024][Pointwise::kNorm];
  norm = {.launch_seconds = 1e-6, .per_sm = 1e15};
  edit(norm);
  return model;
}

TEST(MemoryBoundCost, IsLaunchesPlusBytes) {
  const CostModel model = Round();
  // 4 launches of 2 us, 100 MB at half of 1000 GB/s = 200 us.
  EXPECT_NEAR(SecondsOf(model, FourKernels()), 208e-6, 1e-9);
  EXPECT_EQ(model.Of(FourKernels()).bound, Bound::kMemory);
}

TEST(MemoryBoundCost, FindsWhatAKernelRepeatsInL2UntilItIsTooLarge) {
  const CostModel model = Round();
  models::MemoryBound kernel = FourKernels();
  // A kernel's 25 MB are 0.596 of L2's 40 MiB: of the way from 0.5, where all
  // is held, to 1, where nothing is, 0.192. The rest at 1000 GB/s:
  // 0.808 · 100 us + 0.192 · 200 us.
  EXPECT_NEAR(SecondsOf(model, kernel, L2::kWarm), 8e-6 + 119.2e-6, 0.1e-6);
  kernel.kernels = 1;  // 100 MB: nothing
  EXPECT_NEAR(SecondsOf(model, kernel, L2::kWarm), 2e-6 + 200e-6, 1e-9);
  kernel.kernels = 10;  // 10 MB: all
  EXPECT_NEAR(SecondsOf(model, kernel, L2::kWarm), 20e-6 + 100e-6, 1e-9);
}

TEST(MemoryBoundCost, IsLimitedByWhatMultiprocessorsKeepInFlight) {
  // 1 GB/s each, 100 GB/s together, against 500 GB/s from memory: 1 ms,
  // (1 + 0.2^4)^(1/4) times.
  const CostModel model =
      WithVllmNorm([](MemoryBoundKernel& norm) { norm.per_sm = 1e9; });
  models::MemoryBound kernel = FourKernels();
  kernel.family = PointwiseFamily::kVllm2024;
  kernel.kernels = 1;
  EXPECT_NEAR(SecondsOf(model, kernel), 1e-6 + 1.0004e-3, 1e-7);
}

TEST(MemoryBoundCost, OfFewRowsEachTakesOneMultiprocessor) {
  const CostModel model = WithVllmNorm([](MemoryBoundKernel& norm) {
    norm.per_sm = 1e9;
    norm.row_by_row = true;
  });
  models::MemoryBound kernel{.kind = Pointwise::kNorm,
                             .family = PointwiseFamily::kVllm2024,
                             .read = sim::Bytes(50'000),
                             .written = sim::Bytes(50'000),
                             .flops = {},
                             .rows = 1};
  // 100 kB at 1 GB/s, whether there is one row of them or one for each of the
  // 100 multiprocessors (of which 500 GB/s slow each by less than 0.1 %).
  EXPECT_NEAR(SecondsOf(model, kernel), 1e-6 + 100e-6, 1e-8);
  kernel.rows = 100;
  kernel.read = kernel.written = sim::Bytes(5'000'000);
  EXPECT_NEAR(SecondsOf(model, kernel), 1e-6 + 100e-6, 0.1e-6);
}

TEST(MemoryBoundCost, ReadsLongRowsTwice) {
  const CostModel model = WithVllmNorm(
      [](MemoryBoundKernel& norm) { norm.reread_row_bytes = 12'000; });
  models::MemoryBound kernel = FourKernels();
  kernel.family = PointwiseFamily::kVllm2024;
  kernel.kernels = 1;
  // 60 MB in 10,000 rows of 6 kB, half as long as what is read twice: 130 MB.
  kernel.rows = 10'000;
  EXPECT_NEAR(SecondsOf(model, kernel), 1e-6 + 260e-6, 1e-9);
  // In 1,000 rows of 60 kB: 160 MB.
  kernel.rows = 1'000;
  EXPECT_NEAR(SecondsOf(model, kernel), 1e-6 + 320e-6, 1e-9);
}

TEST(MemoryBoundCost, WorksThroughVeryFewRowsOneAfterAnother) {
  const CostModel model = WithVllmNorm([](MemoryBoundKernel& norm) {
    norm.serial_rows = 16;
    norm.serial_row_seconds = 3e-6;
  });
  models::MemoryBound kernel{.kind = Pointwise::kNorm,
                             .family = PointwiseFamily::kVllm2024,
                             .read = {},
                             .written = {},
                             .flops = {},
                             .rows = 16};
  EXPECT_NEAR(SecondsOf(model, kernel), 1e-6 + 15 * 3e-6, 1e-12);
  kernel.rows = 17;
  EXPECT_NEAR(SecondsOf(model, kernel), 1e-6, 1e-12);
}

TEST(MemoryBoundCost, AFamilyWithoutSuchAKernelRunsPyTorchs) {
  const CostModel model = WithVllmNorm([](MemoryBoundKernel&) {});
  models::MemoryBound kernel = FourKernels();
  kernel.family = PointwiseFamily::kVllm2024;
  EXPECT_NEAR(SecondsOf(model, kernel), 4e-6 + 200e-6, 1e-9);
  kernel.kind = Pointwise::kSoftmax;
  EXPECT_NEAR(SecondsOf(model, kernel), 8e-6 + 200e-6, 1e-9);
}

TEST(CostModel, NamesTheWall) {
  const CostModel model = Round();
  EXPECT_EQ(model.Of(models::Gemm{.m = 8192, .n = 8192, .k = 8192}).bound,
            Bound::kCompute);
  // 1 us of launch, 2.56 us of tile; 0.0003 us of FLOPs.
  EXPECT_EQ(model
                .Of(models::MemoryBound{.kind = Pointwise::kCast,
                                        .read = sim::Bytes(1000),
                                        .written = {},
                                        .flops = {}})
                .bound,
            Bound::kLaunch);
}

TEST(CostModel, SaysWhatAGpuLacks) {
  const absl::StatusOr<CostModel> a100 = CostModel::Load("a100-sxm-80gb");
  ASSERT_TRUE(a100.ok()) << a100.status();
  EXPECT_EQ(
      a100->Check(models::Gemm{.m = 1, .n = 1, .k = 1, .dtype = DType::kFp8})
          .message(),
      "a100-sxm-80gb has no fp8 tensor cores; it supports fp32, tf32, fp16, "
      "bf16, int8, int4");
  EXPECT_EQ(a100->Check(models::Attention{.family = AttentionFamily::kFlash3})
                .message(),
            "no fa3 attention kernel is calibrated for a100-sxm-80gb");
}

// ---- Properties of every GPU file, over a seeded sweep of shapes.

class EveryGpu : public ::testing::TestWithParam<std::string> {
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

TEST_P(EveryGpu, NeverBeatsTheRoofline) {
  std::mt19937_64 random(2);
  const auto size = [&random](int64_t most) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(most)) + 1;
  };
  for (int i = 0; i < 2000; ++i) {
    const int64_t queries = size(8192);
    const int64_t kv_heads = size(8);
    const models::Attention attention{.batch = size(8),
                                      .heads = kv_heads * size(8),
                                      .kv_heads = kv_heads,
                                      .queries = queries,
                                      .keys = queries + size(8192) - 1,
                                      .head_dim = 64 << (i % 3),
                                      .value_head_dim = 64 << (i % 3),
                                      .causal = i % 5 > 0,
                                      .backward = i % 7 > 3,
                                      .family = AttentionFamily::kFlash2};
    EXPECT_GE(model_.Of(attention).time, Roofline(attention, DType::kBf16))
        << models::Dump(attention) << " of sweep 2";
    const models::MemoryBound bound{
        .kind = sim::AsId<Pointwise>(static_cast<size_t>(i) % kPointwiseKinds),
        .family = sim::AsId<PointwiseFamily>(static_cast<size_t>(i) / 11 %
                                             kPointwiseFamilies),
        .read = sim::Bytes(size(1 << 30)),
        .written = sim::Bytes(size(1 << 30)),
        .flops = sim::Flops(static_cast<double>(size(1 << 30))),
        .rows = size(1 << 20)};
    EXPECT_GE(model_.Of(bound).time, Roofline(bound, DType::kFp32))
        << models::Dump(bound) << " of sweep 2";
  }
}

INSTANTIATE_TEST_SUITE_P(Gpus, EveryGpu, ::testing::ValuesIn(GpuNames()),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace hardware
