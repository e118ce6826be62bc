#include "models/expert_layer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/expert_load.h"

namespace models {
namespace {

// 64 tokens, two of eight experts each: 16 rows on every expert.
ExpertLayer Mixtral() {
  return {.tokens = 64,
          .choices = 128,
          .hidden = 4096,
          .inter = 14336,
          .experts = 8,
          .rows = BalancedRows({.tokens = 64, .experts = 8, .top_k = 2})};
}

std::vector<std::string> DumpOf(const ExpertLayer& layer) {
  std::vector<std::string> lines;
  for (const Kernel& kernel : ExpertLayerKernels(layer)) {
    lines.push_back(Dump(kernel));
  }
  return lines;
}

TEST(ExpertLayerKernels, ReadRowsThroughAnIndexWithTriton) {
  // Activation: 128 · 28672 · 2 bytes in, half of it out. Un-permutation: 128 ·
  // 4096 · 2 in, 64 · 4096 · 2 out.
  EXPECT_EQ(DumpOf(Mixtral()),
            (std::vector<std::string>{
                "expert permute triton read 0 written 0 bf16",
                "grouped gemm triton 8 experts 128x28672x4096 bf16",
                "expert activation triton read 7340032 written 3670016 bf16",
                "grouped gemm triton 8 experts 128x4096x14336 bf16",
                "expert unpermute triton read 1048576 written 524288 bf16"}));
}

TEST(ExpertLayerKernels, CopyAndConvertRowsWithCutlassInFp8) {
  ExpertLayer layer = Mixtral();
  layer.family = ExpertKernels::kCutlass;
  layer.dtype = DType::kFp8;
  layer.routes = true;
  const std::vector<Kernel> kernels = ExpertLayerKernels(layer);
  ASSERT_EQ(kernels.size(), 6);
  EXPECT_EQ(std::get<ExpertPass>(kernels[0]).step, ExpertStep::kRoute);
  // 128 · 4096 elements: copied in 2 bytes, then read again and written in 1.
  const auto& permute = std::get<ExpertPass>(kernels[1]);
  EXPECT_EQ(permute.read.count(), 128 * 4096 * (2 + 2));
  EXPECT_EQ(permute.written.count(), 128 * 4096 * (2 + 1));
  EXPECT_EQ(permute.kernels, 3);
  EXPECT_EQ(permute.experts, 8);
  EXPECT_EQ(std::get<GroupedGemm>(kernels[2]).dtype, DType::kFp8);
  EXPECT_EQ(std::get<GroupedGemm>(kernels[2]).output, DType::kBf16);
}

TEST(ExpertLayerKernels, VisitOnlyHeldRowsWithCutlass) {
  ExpertLayer layer = Mixtral();
  layer.choices = 1'000'000;
  layer.family = ExpertKernels::kCutlass;
  const auto kernels = ExpertLayerKernels(layer);
  EXPECT_EQ(std::get<ExpertPass>(kernels[2]).read.count(), 128 * 28672 * 2);
}

TEST(ExpertLayerKernels, MultiplyAsManyFlopsAsRowsNeed) {
  sim::Flops flops;
  for (const Kernel& kernel : ExpertLayerKernels(Mixtral())) {
    flops = flops + MatrixFlops(kernel, true);
  }
  // Three matrices of 4096 x 14336, each row twice the elements.
  EXPECT_EQ(flops.count(), 128.0 * 3 * 2 * 4096 * 14336);
}

TEST(GroupedGemmWork, ReadsTheWeightsOfExpertsThatHaveRows) {
  const GroupedGemm gemm{.rows = RowsOf(std::vector<int64_t>{0, 5, 0, 3}),
                         .n = 100,
                         .k = 10,
                         .dtype = DType::kFp8};
  const Work work = WorkOf(gemm);
  // Two experts' weights and eight rows of one byte; eight rows of two out.
  EXPECT_EQ(work.read.count(), 2 * 100 * 10 + 8 * 10);
  EXPECT_EQ(work.written.count(), 8 * 100 * 2);
  EXPECT_EQ(work.flops.count(), 2.0 * 8 * 100 * 10);
}

}  // namespace
}  // namespace models
