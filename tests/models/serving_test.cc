// The operators of steps against lists worked out by hand, and what ranks hold
// against the counts of the whole model.
#include "models/serving.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/kv_cache.h"
#include "models/load_model.h"
#include "models/parameters.h"

namespace models {
namespace {

using Texts = std::vector<std::string>;

ModelSpec Load(absl::string_view name) {
  absl::StatusOr<ModelSpec> model = LoadModel(name);
  EXPECT_TRUE(model.ok()) << model.status();
  return *std::move(model);
}

// "name: kernel" of those that are no passes over memory, "name: bytes" of
// collectives, and the names of the passes.
Texts DumpOps(const std::vector<Op>& ops) {
  Texts texts;
  for (const Op& op : ops) {
    std::string text(op.name);
    if (const Collective* c = op.collective()) {
      absl::StrAppend(&text, ": ", c->bytes.count(), " bytes");
    } else if (!std::holds_alternative<MemoryBound>(*op.kernel())) {
      absl::StrAppend(&text, ": ", Dump(*op.kernel()));
    }
    texts.push_back(text);
  }
  return texts;
}

double Sum(const std::vector<Op>& ops, double (*of)(const Work&)) {
  double sum = 0;
  for (const Op& op : ops) {
    if (op.kernel()) sum += of(WorkOf(*op.kernel()));
  }
  return sum;
}

TEST(ServingLayer, OfLlama70BOnEightRanks) {
  // 64 query heads and 2 x 8 of keys and values, of 128: (8 + 2) * 128 = 1280
  // of each rank; 8 * 128 = 1024 in; 2 * 28672 / 8 = 7168 up and 3584 down.
  // Reductions of 64 * 8192 * 2 bytes.
  EXPECT_EQ(DumpOps(ServingLayer(Load("llama2-70b"), {.tensor = 8}, 0, 64)),
            Texts({"attention norm", "qkv: gemm 64x1280x8192 bf16", "rotary",
                   "attention out: gemm 64x8192x1024 bf16",
                   "attention all-reduce: 1048576 bytes", "mlp norm",
                   "mlp up: gemm 64x7168x8192 bf16", "activation",
                   "mlp down: gemm 64x8192x3584 bf16",
                   "mlp all-reduce: 1048576 bytes"}));
}

TEST(ServingLayer, OfOneRankHasNoReductions) {
  for (const Op& op : ServingLayer(Load("llama2-70b"), {}, 0, 64)) {
    EXPECT_EQ(op.collective(), nullptr) << op.name;
  }
}

TEST(ServingLayer, Fp8QuantisesWhatProductsReadUnlessNormsDo) {
  ServingSpec spec{.tensor = 8, .weights = WeightFormat::kFp8};
  const ModelSpec model = Load("llama2-70b");
  EXPECT_EQ(DumpOps(ServingLayer(model, spec, 0, 64)),
            Texts({"attention norm",
                   "quantise: quantise 64x8192 bf16 to fp8 for cutlass",
                   "qkv: gemm 64x1280x8192 fp8 cutlass", "rotary",
                   "quantise: quantise 64x1024 bf16 to fp8 for cutlass",
                   "attention out: gemm 64x8192x1024 fp8 cutlass",
                   "attention all-reduce: 1048576 bytes", "mlp norm",
                   "quantise: quantise 64x8192 bf16 to fp8 for cutlass",
                   "mlp up: gemm 64x7168x8192 fp8 cutlass", "activation",
                   "quantise: quantise 64x3584 bf16 to fp8 for cutlass",
                   "mlp down: gemm 64x8192x3584 fp8 cutlass",
                   "mlp all-reduce: 1048576 bytes"}));
  spec.kernels.fused_quantise = true;
  EXPECT_EQ(ServingLayer(model, spec, 0, 64).size(), 10u);
}

TEST(ServingLayer, OfMixtralRoutesTwoRowsOfAToken) {
  // 64 tokens of 2 experts: 128 rows on 8 experts of 2 * 14336 / 2 columns.
  const Texts ops =
      DumpOps(ServingLayer(Load("mixtral-8x7b"), {.tensor = 2}, 0, 64));
  const std::set<std::string> all(ops.begin(), ops.end());
  for (const char* op :
       {"qkv: gemm 64x3072x4096 bf16", "router: gemm 64x8x4096 bf16",
        "experts: grouped gemm triton 8 experts 128x14336x4096 bf16",
        "experts: grouped gemm triton 8 experts 128x4096x7168 bf16",
        "mlp all-reduce: 524288 bytes"}) {
    EXPECT_EQ(all.count(op), 1u) << op;
  }
}

TEST(ServingLayer, OfLatentAttentionKeepsKeysAndValuesLatent) {
  // 16 heads on 2 ranks: queries of 8 * (128 + 64), a latent of 512 + 64 on
  // each rank, and the up-projections of keys and values taken on queries and
  // output.
  const Texts ops =
      DumpOps(ServingLayer(Load("deepseek-v2-lite"), {.tensor = 2}, 0, 64));
  EXPECT_EQ(Texts(ops.begin(), ops.begin() + 8),
            Texts({"attention norm", "query: gemm 64x1536x2048 bf16",
                   "latent down: gemm 64x576x2048 bf16",
                   "query absorbed: gemm 8x64x512x128 bf16", "rotary",
                   "value up: gemm 8x64x128x512 bf16",
                   "attention out: gemm 64x2048x1024 bf16",
                   "attention all-reduce: 262144 bytes"}));
}

TEST(ServingLayer, DataParallelAttentionHasWholeHeadsAndItsShareOfTheTokens) {
  // 32 of 64 tokens, all 16 heads; the experts see all 64, gathered: 192 of the
  // 384 rows, on whole experts.
  const Texts ops = DumpOps(ServingLayer(
      Load("deepseek-v2-lite"),
      {.tensor = 2, .expert = 2, .data_parallel_attention = true}, 1, 64));
  const std::set<std::string> all(ops.begin(), ops.end());
  for (const char* op :
       {"query: gemm 32x3072x2048 bf16",
        "attention out: gemm 32x2048x2048 bf16", "ep all-gather: 262144 bytes",
        "router: gemm 64x64x2048 bf16",
        "experts: grouped gemm triton 32 experts 192x2816x2048 bf16",
        "ep reduce-scatter: 262144 bytes"}) {
    EXPECT_EQ(all.count(op), 1u) << op;
  }
  EXPECT_EQ(all.count("attention all-reduce: 262144 bytes"), 0u);
}

TEST(ServingEnds, EmbedsAllAndSamplesFew) {
  // 32000 / 8 columns of 3 rows, gathered: 3 * 32000 * 2 bytes.
  const ModelSpec model = Load("llama2-70b");
  EXPECT_EQ(DumpOps(ServingEnds(model, {.tensor = 8}, 64, 3)),
            Texts({"embedding", "final norm", "logits: gemm 3x4000x8192 bf16",
                   "logits all-gather: 192000 bytes", "sampling", "sampling",
                   "sampling"}));
  EXPECT_EQ(DumpOps(ServingEnds(model, {.tensor = 8}, 64, 0)),
            Texts({"embedding", "final norm"}));
}

TEST(ServingAttention, SpreadsKeysAndPairsEvenly) {
  const ModelSpec model = Load("llama2-70b");
  const ServingSpec spec{.tensor = 8};
  EXPECT_EQ(DumpOps(DecodeAttention(model, spec, 0, 64, 64'000, 64)),
            Texts({"attention: attention vllm 64x8/1x1x1000x128 causal bf16"}));
  // 100 tokens that see 1 .. 100 and 50 that see 151 .. 200: 5050 + 8775 pairs
  // in 150 queries are 92.2 of each; 75 queries that see 129 - 37 = 92 in the
  // mean have as many.
  EXPECT_EQ(
      DumpOps(PrefillAttention(model, spec, 0,
                               {{.tokens = 100, .keys = 100, .last = true},
                                {.tokens = 50, .keys = 200, .last = true}})),
      Texts({"attention: attention vllm 2x8/1x75x129x128 causal bf16"}));
}

TEST(ServingAttention, OfLatentPromptsCountsThePairsThatAreSeen) {
  // A prompt of 1000 tokens has 500.5 pairs a query: 8 heads of 1000 queries,
  // of 501 keys and 576 + 512 elements.
  EXPECT_EQ(
      DumpOps(PrefillAttention(Load("deepseek-v2-lite"), {.tensor = 2}, 0,
                               {{.tokens = 1000, .keys = 1000, .last = true}})),
      Texts({"attention: gemm 8000x501x1088 bf16"}));
}

TEST(WeightBytes, AreTheModelsParametersInTheirFormat) {
  for (const char* name :
       {"llama2-70b", "llama3-8b", "mixtral-8x7b", "deepseek-v2-lite",
        "qwen2-72b", "qwen3-30b-a3b", "deepseek-v3"}) {
    ModelSpec model = Load(name);
    model.mtp_depth = 0;
    const Parameters p = CountParameters(model);
    // Two bytes of each, but for the norms at the end.
    EXPECT_NEAR(static_cast<double>(WeightBytes(model, {}).count()),
                2 * static_cast<double>(p.total),
                2e-4 * static_cast<double>(p.total))
        << name;
    const auto one = static_cast<double>(WeightBytes(model, {}).count());
    for (const int64_t ranks : {2, 4, 8}) {
      EXPECT_NEAR(
          static_cast<double>(WeightBytes(model, {.tensor = ranks}).count()),
          one / static_cast<double>(ranks), 1)
          << name << " on " << ranks;
    }
    // Half the layers, and one of the tables at most.
    const auto half =
        static_cast<double>(WeightBytes(model, {.pipeline = 2}).count());
    EXPECT_GT(half, 0.48 * one) << name;
    EXPECT_LT(half, 0.62 * one) << name;
    // 8 bits halve all but the tables, whose two bytes stay.
    const auto tables = 2 * static_cast<double>(p.embedding);
    EXPECT_NEAR(
        static_cast<double>(
            WeightBytes(model, {.weights = WeightFormat::kFp8}).count()),
        (one - tables) / 2 + tables, 1e-3 * one)
        << name;
  }
}

TEST(CacheBytesPerToken, DividesHeadsDownToOneAndNotLatentVectors) {
  for (const char* name : {"llama2-70b", "llama3-8b", "deepseek-v2-lite"}) {
    const ModelSpec model = Load(name);
    const int64_t all = KvBytesPerToken(model, DType::kBf16).count();
    EXPECT_EQ(CacheBytesPerToken(model, {}).count(), all) << name;
    EXPECT_EQ(CacheBytesPerToken(model, {.cache = DType::kFp8}).count(),
              all / 2);
    EXPECT_EQ(CacheBytesPerToken(model, {.tensor = 4}).count(),
              model.latent ? all : all / 4);
    EXPECT_EQ(CacheBytesPerToken(model,
                                 {.tensor = 4, .data_parallel_attention = true})
                  .count(),
              all / 4);
  }
  // 8 heads on 16 ranks: one on each.
  const ModelSpec llama = Load("llama2-70b");
  EXPECT_EQ(CacheBytesPerToken(llama, {.tensor = 16}),
            CacheBytesPerToken(llama, {.tensor = 8}));
  // 80 layers on 3 stages: 27 of the largest.
  EXPECT_EQ(CacheBytesPerToken(llama, {.pipeline = 3}).count(), 27 * 4096);
}

TEST(ServingLayerKinds, CountALayerOnceEach) {
  for (const char* name : {"llama2-70b", "deepseek-v2-lite", "gemma-2-9b"}) {
    const ModelSpec model = Load(name);
    int64_t count = 0;
    for (const ServingLayerKind& k : ServingLayerKinds(model, {})) {
      count += k.count;
    }
    EXPECT_EQ(count, model.layers) << name;
  }
  // One dense layer of 27, the other 26 with experts; global and local
  // attention take turns in Gemma 2.
  EXPECT_EQ(ServingLayerKinds(Load("deepseek-v2-lite"), {}).size(), 2u);
  EXPECT_EQ(ServingLayerKinds(Load("gemma-2-9b"), {}).size(), 2u);
}

TEST(ServingFlops, AreThoseOfTheOperators) {
  const ModelSpec model = Load("llama2-70b");
  const auto flops = [](const Work& w) { return w.flops.count(); };
  // 512 tokens of one prompt, one sampled, on one rank.
  const double layer =
      Sum(ServingLayer(model, {}, 0, 512), flops) +
      Sum(PrefillAttention(model, {}, 0, {{512, 512, true}}), flops);
  const double all = 80 * layer + Sum(ServingEnds(model, {}, 512, 1), flops);
  const double pairs = 512.0 * 513 / 2;
  EXPECT_NEAR(ServingFlops(model, 512, pairs, 1).count() / all, 1, 0.01);
}

}  // namespace
}  // namespace models
