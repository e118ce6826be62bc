#include "models/operator_totals.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "models/load_model.h"
#include "models/model_spec.h"
#include "models/op_graph.h"
#include "models/parameters.h"
#include "models/rank_shape.h"
#include "models/training.h"
#include "models/training_graph.h"

namespace models {
namespace {

TrainingSpec Plain(int64_t micro_batch, int64_t sequence) {
  TrainingSpec training;
  training.micro_batch = training.global_batch = micro_batch;
  training.sequence_length = sequence;
  training.pad_vocab_to = 1;
  training.kernels.fused_attention = false;  // no pair counted twice or skipped
  return training;
}

OpGraph WholeModel(const ModelSpec& model, const TrainingSpec& training) {
  return BuildChunk(model, training, ChunksOf(model, training.split)[0][0]);
}

// Models whose layers the operator graph has.
std::vector<ModelSpec> DenseZoo() {
  std::vector<ModelSpec> dense;
  for (const std::string& name : ZooModels()) {
    ModelSpec model = *LoadModel(name);
    if (model.latent) model.experts.reset();
    const bool projected = model.embedding_dim > 0;
    if (!model.experts && !projected) {
      dense.push_back(std::move(model));
    }
  }
  return dense;
}

TEST(ClosedForms, EqualTheGraphsMatrixProductsInEveryDenseModel) {
  for (const ModelSpec& model : DenseZoo()) {
    const std::vector<OperatorTotal> graph =
        TotalsOf(WholeModel(model, Plain(2, 64)));
    const ProductTotal closed = SumOf(ProductsOf(model, 2, 64, false));
    EXPECT_EQ(SumOf(graph, Phase::kForward).matrix_flops, closed.forward)
        << model.name;
    EXPECT_EQ(SumOf(graph, Phase::kBackward).matrix_flops, closed.backward)
        << model.name;
  }
}

TEST(ClosedForms, CountTheParametersOfTheGraphInEveryDenseModel) {
  for (const ModelSpec& model : DenseZoo()) {
    const TrainingSpec training = Plain(1, 64);
    const Chunk whole = ChunksOf(model, training.split)[0][0];
    EXPECT_EQ(RankShape(model, training).ParametersOf(whole).total(),
              CountParameters(model).total)
        << model.name;
  }
}

TEST(ClosedForms, SkipWhatTheCausalMaskAndTheWindowHide) {
  ModelSpec model = *LoadModel("mistral-7b");
  const auto attention = [&](int64_t sequence, bool causal_half) {
    return ProductsOf(model, 1, sequence, causal_half).back().forward.count();
  };
  // 32 layers, 32 heads of 128: 2 · 32 · (128 + 128) = 16,384 FLOPs a pair.
  const double layers = 32 * 16384.0;
  EXPECT_EQ(attention(1024, false), layers * 1024 * 1024);
  EXPECT_EQ(attention(1024, true), layers * 1024 * 1025 / 2);
  // 8192 queries, window 4096: 8192 · 4096 less 4096 · 4095 / 2.
  EXPECT_EQ(attention(8192, true), layers * (8192 * 4096.0 - 4096 * 4095 / 2));
}

TEST(ClosedForms, CountForATokenTheExpertsItVisits) {
  const ModelSpec model = *LoadModel("mixtral-8x7b");
  // 12,879,925,248 active, less the token table of 32000 · 4096 and the
  // 65 norms of 4096; one query-key pair in each of 32 layers.
  const double matrices = 12'879'925'248.0 - 131'072'000 - 65 * 4096;
  EXPECT_EQ(SumOf(ProductsOf(model, 1, 1, true)).forward.count(),
            2 * matrices + 32 * 16384.0);
}

TEST(OperatorTotals, SumByNameInTheOrderOfFirstUse) {
  const ModelSpec model = *LoadModel("gpt2");
  const std::vector<OperatorTotal> totals =
      TotalsOf(WholeModel(model, Plain(1, 64)));
  EXPECT_EQ(totals.front().name, "embedding");
  for (const OperatorTotal& total : totals) {
    if (total.name != "qkv") continue;
    EXPECT_EQ(total.count, 12);
    // 12 layers of 2 · 64 · 768 · 2304.
    EXPECT_EQ(total.flops.count(), 12.0 * 2 * 64 * 768 * 2304);
    // Read x and W, write qkv, in 16 bits.
    EXPECT_EQ(total.read.count(), 12 * 2 * (64 + 2304) * 768);
    EXPECT_EQ(total.written.count(), 12 * 2 * 64 * 2304);
    return;
  }
  FAIL() << "there is no qkv";
}

TEST(Decode, ReadsEveryWeightOnceAndTheCacheOfEverySequence) {
  const ModelSpec model = *LoadModel("llama2-70b");
  const DecodeWork one = DecodeWorkOf(model, 1, 4096, DType::kFp16);
  // All parameters but the token table, of which a row is read:
  // 2 · (68,976,648,192 - 262,144,000 + 8192).
  EXPECT_EQ(one.weights.count(), 137'429'024'768);
  EXPECT_EQ(one.kv_cache.count(), 327'680 * 4096);
  const DecodeWork eight = DecodeWorkOf(model, 8, 4096, DType::kFp16);
  EXPECT_EQ(eight.weights.count() - one.weights.count(), 7 * 2 * 8192);
  EXPECT_EQ(eight.kv_cache.count(), 8 * one.kv_cache.count());
  EXPECT_EQ(eight.flops.count(), 8 * one.flops.count());
}

TEST(Decode, VisitsMoreExpertsWithMoreSequences) {
  const ModelSpec model = *LoadModel("mixtral-8x7b");
  const auto weights = [&](int64_t batch) {
    return DecodeWorkOf(model, batch, 1, DType::kFp16).weights.count();
  };
  // One more token visits two more of eight experts of 3 · 4096 · 14336, in 32
  // layers, and one more row of the token table; beyond four, all are read.
  EXPECT_EQ(weights(2) - weights(1), 2 * (32 * 2 * 176'160'768LL + 4096));
  EXPECT_EQ(weights(6) - weights(5), 2 * 4096);
}

}  // namespace
}  // namespace models
