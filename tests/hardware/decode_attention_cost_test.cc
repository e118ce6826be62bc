#include "hardware/decode_attention_cost.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "hardware/cost_model.h"
#include "sim/units.h"

namespace hardware {
namespace {

using models::AttentionFamily;
using models::DType;

// 100 multiprocessors, 1000 GB/s, 40 MB of L2, 100 TFLOP/s.
GpuSpec Round() {
  return {.name = "round",
          .calibration = "round",
          .multiprocessors = 100,
          .power_watts = 400,
          .memory_capacity = sim::GiB(80),
          .memory_bandwidth = sim::GBps(1000),
          .l2 = sim::Bytes(40'000'000),
          .nvlink_bandwidth = {},
          .pcie_bandwidth = {},
          .peak = sim::Column<DType, sim::FlopsPerSecond>(
              sim::Row(DType::kInt4) + 1, sim::TeraFlopsPerSecond(100))};
}

DecodeAttentionLaw Law(DecodeKernel kernel) {
  return {.family = AttentionFamily::kVllm,
          .cache_bits = 16,
          .kernel = kernel,
          .launch_seconds = 5e-6,
          .transpose_seconds = 3e-6,
          .block_seconds = 2e-6,
          .head_seconds = 0.5e-6,
          .stream_per_sm = 20e9,
          .softmax_dims = 0,
          .memory_efficiency = 0.8,
          .combine_seconds = 1e-6,
          .combine_rate = 100e9,
          .split_keys = 128,
          .most_splits = 1000};
}

models::Attention Step(int64_t batch, int64_t heads, int64_t kv_heads,
                       int64_t keys) {
  return {.batch = batch,
          .heads = heads,
          .kv_heads = kv_heads,
          .queries = 1,
          .keys = keys,
          .head_dim = 128,
          .value_head_dim = 128,
          .family = AttentionFamily::kVllm};
}

TEST(DecodeSplits, Flash3SpreadsWholeBlocksOfKeys) {
  const GpuSpec gpu = Round();
  DecodeAttentionLaw law = Law(DecodeKernel::kFlash3);
  // 16 blocks over 128 blocks of keys each: ceil(1.1 * 16 * 128 / 100) = 23
  // blocks of keys in a split, ceil(128 / 23) = 6 splits.
  EXPECT_EQ(SplitsOf(gpu, law, Step(2, 32, 8, 16384)), 6);
  // 128 blocks: ceil(1.1 * 128 * 128 / 100) = 181, more than there are.
  EXPECT_EQ(SplitsOf(gpu, law, Step(16, 32, 8, 16384)), 1);
  law.most_splits = 4;
  EXPECT_EQ(SplitsOf(gpu, law, Step(2, 32, 8, 16384)), 4);
}

TEST(DecodeSplits, Flash2LeavesTheLastWaveNearlyFull) {
  const GpuSpec gpu = Round();
  const DecodeAttentionLaw law = Law(DecodeKernel::kFlash2);
  // 8 blocks, 200 slots: 25 splits fill them all, 22 (176 / 200 = 0.88) are the
  // fewest that keep 0.85 of them busy; 21 keep 0.84.
  EXPECT_EQ(SplitsOf(gpu, law, Step(1, 32, 8, 16384)), 22);
  // Two blocks of keys cannot be split more than twice.
  EXPECT_EQ(SplitsOf(gpu, law, Step(1, 32, 8, 256)), 2);
  // 160 blocks are 0.8 of the slots.
  EXPECT_EQ(SplitsOf(gpu, law, Step(20, 32, 8, 16384)), 1);
  // A key head for every query head: not split.
  EXPECT_EQ(SplitsOf(gpu, law, Step(1, 8, 8, 16384)), 1);
}

TEST(DecodeSplits, XqaStopsAtTheRootAndAtEightWaves) {
  const GpuSpec gpu = Round();
  const DecodeAttentionLaw law = Law(DecodeKernel::kXqa);
  // 8192 / 128 = 64 parts; sqrt(8 * 64) = 22.6.
  EXPECT_EQ(SplitsOf(gpu, law, Step(1, 32, 8, 8192)), 23);
  // 512 blocks: 8 waves of 100 leave room for one each; 256, for three.
  EXPECT_EQ(SplitsOf(gpu, law, Step(64, 32, 8, 8192)), 1);
  EXPECT_EQ(SplitsOf(gpu, law, Step(32, 32, 8, 8192)), 3);
  EXPECT_EQ(SplitsOf(gpu, law, Step(1, 32, 8, 64)), 1);
}

TEST(DecodeSplits, MaskedFillsTheMultiprocessorsOnce) {
  const GpuSpec gpu = Round();
  const DecodeAttentionLaw law = Law(DecodeKernel::kMasked);
  // A block for each of 32 query heads: ceil(100 / 32).
  EXPECT_EQ(SplitsOf(gpu, law, Step(1, 32, 8, 8192)), 4);
  // 256 keys are two splits of 128.
  EXPECT_EQ(SplitsOf(gpu, law, Step(1, 32, 8, 256)), 2);
}

TEST(DecodeAttentionCost, IsWavesOfBlocksOverTheStreamedCache) {
  const GpuSpec gpu = Round();
  const DecodeAttentionLaw law = Law(DecodeKernel::kFlash3);
  // 16 sequences of 8 key heads are 128 blocks, two waves. A block of 4 heads
  // takes 2 + 4 * 0.5 us, and its 1024 keys of 512 bytes 26.2 us at 20 GB/s.
  const models::Attention step = Step(16, 32, 8, 1024);
  const KernelCost cost = CostOf(gpu, law, step, L2::kCold);
  EXPECT_NEAR(cost.compute, 2 * (4e-6 + 26.2144e-6), 1e-12);
  // 16 * 8 * 1024 keys of 512 bytes, 67.1 MB, at 0.8 of 1000 GB/s.
  EXPECT_NEAR(cost.memory, 83.886e-6, 1e-9);
  // Queries of several sequences and key heads are gathered.
  EXPECT_NEAR(cost.fixed, 5e-6 + 3e-6, 1e-12);
}

TEST(DecodeAttentionCost, CombinesWhatItSplits) {
  const GpuSpec gpu = Round();
  const DecodeAttentionLaw law = Law(DecodeKernel::kFlash3);
  // 8 blocks of 64 blocks of keys: 6 in a split, 11 splits, 88 blocks in one
  // wave; 8192 / 11 = 744.7 keys are 12 steps of 64.
  const models::Attention step = Step(1, 32, 8, 8192);
  ASSERT_EQ(SplitsOf(gpu, law, step), 11);
  const KernelCost cost = CostOf(gpu, law, step, L2::kCold);
  EXPECT_NEAR(cost.compute, 4e-6 + 768 * 512 / 20e9, 1e-12);
  // 11 partial outputs of 4 heads of 128 floats, 22.5 kB, at 100 GB/s; one
  // sequence needs no gathering.
  EXPECT_NEAR(cost.fixed, 5e-6 + 1e-6 + 22528 / 100e9, 1e-12);
}

TEST(DecodeAttentionCost, EightBitCachesAreHalfTheBytes) {
  const GpuSpec gpu = Round();
  DecodeAttentionLaw law = Law(DecodeKernel::kFlash3);
  models::Attention step = Step(16, 32, 8, 1024);
  const double wide = CostOf(gpu, law, step, L2::kCold).memory;
  law.cache_bits = 8;
  step.cache = DType::kFp8;
  EXPECT_NEAR(CostOf(gpu, law, step, L2::kCold).memory, wide / 2, 1e-12);
  // Converting a key and its softmax cost as much as 64 more dimensions of each
  // of the two: 1024 keys of 384 bytes.
  law.softmax_dims = 64;
  EXPECT_NEAR(CostOf(gpu, law, step, L2::kCold).compute,
              2 * (4e-6 + 1024 * 384 / 20e9), 1e-12);
}

TEST(DecodeAttentionCost, AWarmL2HoldsHalfItsSize) {
  const GpuSpec gpu = Round();
  const DecodeAttentionLaw law = Law(DecodeKernel::kFlash3);
  const auto memory = [&](int64_t keys, L2 l2) {
    return CostOf(gpu, law, Step(1, 8, 1, keys), l2).memory;
  };
  // 512 bytes a key: 39,000 keys are 19.97 MB, 58,594 are 30.0 MB, of which
  // half is missed, 80,000 are 40.96 MB.
  EXPECT_EQ(memory(39'000, L2::kWarm), 0);
  EXPECT_NEAR(memory(58'594, L2::kWarm), 0.5 * memory(58'594, L2::kCold), 1e-9);
  EXPECT_EQ(memory(80'000, L2::kWarm), memory(80'000, L2::kCold));
}

TEST(DecodeLaws, TensorRtLlmRunsXqaWhereItCan) {
  absl::StatusOr<CostModel> h100 = CostModel::Load("h100-sxm-80gb");
  ASSERT_TRUE(h100.ok()) << h100.status();
  const auto kernel = [&](int64_t batch, int64_t heads, int64_t kv_heads,
                          int64_t keys, std::optional<DType> cache) {
    models::Attention step = Step(batch, heads, kv_heads, keys);
    step.family = AttentionFamily::kTensorRtLlm;
    step.cache = cache;
    return NameOf(DecodeLawOf(h100->gpu, h100->calibration, step)->kernel);
  };
  EXPECT_EQ(kernel(1, 32, 8, 8192, {}), "xqa");
  EXPECT_EQ(kernel(16, 32, 1, 8192, {}), "xqa");
  // A key head for every query head; more than 32 query heads to one.
  EXPECT_EQ(kernel(1, 8, 8, 8192, {}), "mmha");
  EXPECT_EQ(kernel(16, 64, 1, 8192, {}), "mmha");
  // 8 key heads of 512 keys are 32 blocks, of 132 multiprocessors a quarter is
  // 33: too few for XQA unless the cache has 8 bits.
  EXPECT_EQ(kernel(1, 32, 8, 512, {}), "mmha");
  EXPECT_EQ(kernel(1, 32, 8, 512, DType::kFp8), "xqa");
}

TEST(DecodeLaws, SayWhatIsNotCalibrated) {
  absl::StatusOr<CostModel> a100 = CostModel::Load("a100-sxm-80gb");
  ASSERT_TRUE(a100.ok()) << a100.status();
  models::Attention step = Step(1, 32, 8, 8192);
  EXPECT_TRUE(a100->Check(step).ok());
  step.cache = DType::kFp8;
  EXPECT_EQ(a100->Check(step).message(),
            "no vllm attention kernel for one query over a cache of fp8 and "
            "128 dimensions is calibrated for a100-sxm-80gb");
}

// Every engine and cache on both architectures, as far as they are calibrated.
class EveryDecodeKernel : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    absl::StatusOr<CostModel> model = CostModel::Load(GetParam());
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
  }

  std::vector<models::Attention> Steps(int64_t batch, int64_t keys) const {
    std::vector<models::Attention> steps;
    for (const auto family : {AttentionFamily::kVllm, AttentionFamily::kSglang,
                              AttentionFamily::kTensorRtLlm}) {
      for (const int64_t kv_heads : {1, 8, 32}) {
        for (const std::optional<DType> cache :
             {std::optional<DType>(), std::optional<DType>(DType::kFp8)}) {
          models::Attention step = Step(batch, 32, kv_heads, keys);
          step.family = family;
          step.cache = cache;
          if (model_.Check(step).ok()) steps.push_back(step);
        }
      }
    }
    return steps;
  }

  const DecodeAttentionLaw* LawOf(const models::Attention& step) const {
    return DecodeLawOf(model_.gpu, model_.calibration, step);
  }

  CostModel model_;
};

TEST_P(EveryDecodeKernel, IsNeverFasterThanTheMemoryOrTheTensorCores) {
  for (const int64_t batch : {1, 8, 100, 1024}) {
    for (const int64_t keys : {1, 100, 1000, 30000}) {
      for (const models::Attention& step : Steps(batch, keys)) {
        const models::Work work = models::WorkOf(step);
        const double seconds = sim::InSeconds(model_.Of(step).time);
        EXPECT_GE(seconds, static_cast<double>(work.read.count()) /
                               model_.gpu.memory_bandwidth.count())
            << models::Dump(step);
        EXPECT_GE(seconds,
                  work.flops.count() / model_.gpu.peak[DType::kBf16].count())
            << models::Dump(step);
      }
    }
  }
}

// By another kernel or in other splits it need not: TensorRT-LLM runs XQA from
// a number of keys at which it is faster than what it ran before.
TEST_P(EveryDecodeKernel, TakesLongerForMoreOfTheSameSplits) {
  int compared = 0;
  for (const int64_t batch : {1, 4, 16, 64, 256}) {
    for (const int64_t keys : {64, 256, 1024, 4096, 16384, 65536}) {
      for (const models::Attention& step : Steps(batch, keys)) {
        models::Attention batched = step, longer = step;
        batched.batch *= 2;
        longer.keys *= 2;
        for (const models::Attention& more : {batched, longer}) {
          const DecodeAttentionLaw* law = LawOf(step);
          if (LawOf(more) != law || SplitsOf(model_.gpu, *law, more) !=
                                        SplitsOf(model_.gpu, *law, step)) {
            continue;
          }
          ++compared;
          EXPECT_GE(model_.Of(more).time, model_.Of(step).time)
              << models::Dump(step);
        }
      }
    }
  }
  EXPECT_GT(compared, 100);
}

INSTANTIATE_TEST_SUITE_P(Gpus, EveryDecodeKernel,
                         testing::Values("a100-sxm-80gb", "h100-sxm-80gb"),
                         [](const auto& instance) {
                           return std::string(instance.param).substr(0, 4);
                         });

}  // namespace
}  // namespace hardware
