#include "hardware/attention_cost.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "hardware/cost_model.h"
#include "sim/units.h"

namespace hardware {
namespace {

using models::AttentionFamily;
using models::DType;

// 100 multiprocessors of 1 TFLOP/s in 16 bits and 2 in 8, 1000 GB/s.
CostModel Round(const AttentionLaw& law) {
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
                   sim::Row(DType::kInt4) + 1, sim::TeraFlopsPerSecond(100))};
  model.gpu.peak[DType::kFp8] = sim::TeraFlopsPerSecond(200);
  model.calibration.attention.forward[AttentionFamily::kVllm] = law;
  return model;
}

AttentionLaw Law() {
  return {.launch_seconds = 1e-6,
          .efficiency = 1,
          .half_dim = 0,
          .tile_seconds = 0,
          .tail = 0,
          .memory_efficiency = 1};
}

// One sequence; a tile of 128 queries passes over a block of 128 keys in
// 2 * 2 * 128^3 FLOPs, 8.39 us.
models::Attention Prompt(int64_t heads, int64_t queries, int64_t keys) {
  return {.batch = 1,
          .heads = heads,
          .kv_heads = heads,
          .queries = queries,
          .keys = keys,
          .head_dim = 128,
          .value_head_dim = 128,
          .family = AttentionFamily::kVllm};
}
constexpr double kBlockSeconds = 4.0 * 128 * 128 * 128 / 1e12;

double Compute(const CostModel& model, const models::Attention& a) {
  return CostOf(model.gpu, model.calibration, a).compute;
}

TEST(AttentionTail, TheLongestTileStraggles) {
  AttentionLaw law = Law();
  // 100 heads of 4 tiles, over 1, 2, 3 and 4 blocks: 10 blocks each
  // multiprocessor.
  const models::Attention prompt = Prompt(100, 512, 512);
  EXPECT_NEAR(Compute(Round(law), prompt), 10 * kBlockSeconds, 1e-12);
  // Half of the longest tile, 2 blocks, is still to do then.
  law.straggling = 0.5;
  EXPECT_NEAR(Compute(Round(law), prompt), 12 * kBlockSeconds, 1e-12);
  // 30 heads are 120 tiles, a fifth more than one wave: 3 blocks on average,
  // and a fifth of those 2 blocks; less than the longest tile.
  EXPECT_NEAR(Compute(Round(law), Prompt(30, 512, 512)), 4 * kBlockSeconds,
              1e-12);
}

TEST(AttentionPower, LongKernelsRunAtALowerClock) {
  AttentionLaw law = Law();
  law.power_sag = 0.2;
  // 100 heads of one tile over 16 blocks: 134 us.
  models::Attention prompt = Prompt(100, 128, 2048);
  const double brief = 16 * kBlockSeconds;
  EXPECT_NEAR(Compute(Round(law), prompt),
              brief * (1 + 0.2 * brief / (brief + 1e-3)), 1e-12);
  // 100 times that: 13.4 ms, of which the sag has 0.93.
  prompt.batch = 100;
  EXPECT_NEAR(Compute(Round(law), prompt),
              100 * brief * (1 + 0.2 * 100 * brief / (100 * brief + 1e-3)),
              1e-9);
}

TEST(AttentionSplits, IdleMultiprocessorsTakePartsOfTheKeys) {
  AttentionLaw law = Law();
  law.split_keys = 512;
  law.combine_seconds = 10e-6;
  const CostModel model = Round(law);
  const auto cost = [&](int64_t heads, int64_t keys) {
    return CostOf(model.gpu, model.calibration, Prompt(heads, 128, keys));
  };
  // 8 tiles over 8192 keys, 64 blocks: 100 / 8 = 12 parts of 64 / 12 blocks.
  EXPECT_NEAR(cost(8, 8192).compute, 64 * kBlockSeconds / 12, 1e-12);
  EXPECT_NEAR(cost(8, 8192).fixed, 1e-6 + 10e-6, 1e-12);
  // 1024 keys are two parts at most.
  EXPECT_NEAR(cost(8, 1024).compute, 8 * kBlockSeconds / 2, 1e-12);
  // 60 tiles leave no multiprocessor for a second part each.
  EXPECT_NEAR(cost(60, 8192).compute, 64 * kBlockSeconds, 1e-12);
  EXPECT_NEAR(cost(60, 8192).fixed, 1e-6, 1e-12);
}

TEST(AttentionCache, IsWrittenByAKernelOfItsOwn) {
  AttentionLaw law = Law();
  law.write_seconds = 2e-6;
  law.write_efficiency = 0.5;
  law.query_copies = 1;
  const CostModel model = Round(law);
  models::Attention prompt = Prompt(8, 1024, 1024);
  const auto fixed = [&] {
    return CostOf(model.gpu, model.calibration, prompt).fixed;
  };
  EXPECT_NEAR(fixed(), 1e-6, 1e-12);
  // 1024 * 8 * 256 elements of keys and values, read and written in 2 bytes:
  // 8.39 MB; queries, half as many, copied likewise: 4.19 MB; at 500 GB/s.
  prompt.writes_cache = true;
  EXPECT_NEAR(fixed(), 3e-6 + 25.166e-6, 1e-9);
  // An 8-bit cache: 3 bytes an element of keys and values.
  prompt.cache = DType::kFp8;
  EXPECT_NEAR(fixed(), 3e-6 + 20.972e-6, 1e-9);
}

TEST(AttentionCache, EightBitsHaveALawOfTheirOwn) {
  CostModel model = Round(Law());
  models::Attention prompt = Prompt(100, 1024, 1024);
  const double wide = Compute(model, prompt);
  prompt.cache = DType::kFp8;
  // Without one, the other law's.
  EXPECT_EQ(Compute(model, prompt), wide);
  // Products in the cache's type: twice as fast.
  AttentionLaw law = Law();
  law.eight_bit_products = true;
  model.calibration.attention.eight_bit_cache[AttentionFamily::kVllm] = law;
  EXPECT_NEAR(Compute(model, prompt), wide / 2, 1e-12);
}

TEST(AttentionCost, EnginesAreNeverFasterThanTheTensorCoresOrTheMemory) {
  const absl::StatusOr<CostModel> loaded = CostModel::Load("h200-sxm-141gb");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  for (const auto family : {AttentionFamily::kVllm, AttentionFamily::kSglang,
                            AttentionFamily::kTensorRtLlm}) {
    for (const int64_t heads : {1, 8, 64}) {
      for (const int64_t queries : {16, 1000, 16384}) {
        for (const bool narrow : {false, true}) {
          models::Attention prompt = Prompt(heads, queries, queries);
          prompt.family = family;
          prompt.batch = 4;
          if (narrow) prompt.cache = DType::kFp8;
          const models::Work work = models::WorkOf(prompt);
          const DType products = narrow && family != AttentionFamily::kVllm
                                     ? DType::kFp8
                                     : DType::kBf16;
          const double seconds = sim::InSeconds(loaded->Of(prompt).time);
          EXPECT_GE(seconds,
                    work.flops.count() / loaded->gpu.peak[products].count())
              << models::Dump(prompt);
          EXPECT_GE(seconds,
                    static_cast<double>((work.read + work.written).count()) /
                        loaded->gpu.memory_bandwidth.count())
              << models::Dump(prompt);
        }
      }
    }
  }
}

}  // namespace
}  // namespace hardware
