#include "models/muon.h"

#include <gtest/gtest.h>

#include "models/load_model.h"
#include "models/training_graph.h"

namespace models {
namespace {

TrainingSpec Muon(int64_t data, MuonSharding sharding) {
  TrainingSpec training;
  training.global_batch = data;
  training.optimizer = Optimizer::kMuon;
  training.optimizer_options.muon_sharding = sharding;
  training.split.data = data;
  training.split.zero = data > 1 ? 1 : 0;
  return training;
}

OpGraph StepOf(const ModelSpec& model, const TrainingSpec& training) {
  return BuildStep(model, training, ChunksOf(model, training.split)[0]);
}

double ProductFlops(const OpGraph& graph) {
  double flops = 0;
  for (const Op& op : graph.ops) {
    if (op.kernel() != nullptr) {
      flops += MatrixFlops(*op.kernel(), true).count();
    }
  }
  return flops;
}

TEST(Muon, TakesFourMMNAndTwoMMMFlopsAnIteration) {
  // m = 2^12, n = 7 x 2^11: 4 m^2 n = 7 x 2^37, 2 m^3 = 2^37.
  EXPECT_DOUBLE_EQ(OrthogonaliseFlops({14336, 4096}, 5), 5.0 * (1LL << 40));
  EXPECT_DOUBLE_EQ(OrthogonaliseFlops({4096, 14336}, 1), 1LL << 40);
}

TEST(Muon, OnOneRankOrthogonalisesEveryMatrix) {
  const ModelSpec model = *LoadModel("llama3-8b");
  const OpGraph step = StepOf(model, Muon(1, MuonSharding::kGather));
  // A layer: q and out 2 x 6 x 2^36, k and v of 1024 x 4096
  // 2 x (4 x 2^32 + 2 x 2^30), up, gate and down 3 x 2^40; 5 iterations.
  const double layer = 12.0 * (1LL << 36) + 8.0 * (1LL << 32) +
                       4.0 * (1LL << 30) + 3.0 * (1LL << 40);
  EXPECT_DOUBLE_EQ(ProductFlops(step), 32 * 5 * layer);
}

TEST(Muon, CostsAboutMOverBatchTokensOfTheStep) {
  // Jordan et al. 2024: T m / B of the FLOPs of forward and backward for square
  // matrices, T = 5 iterations, B tokens: 6 m^3 T against 6 m^2 B.
  const double m = 4096, tokens = 16 * 8192;
  EXPECT_DOUBLE_EQ(OrthogonaliseFlops({4096, 4096}, 5) / (6 * m * m * tokens),
                   5 * m / tokens);
}

TEST(MuonShare, DealsTheLargestFirstThereAndBack) {
  std::vector<WeightMatrix> matrices;
  for (const int64_t columns : {2, 6, 3, 5, 4}) matrices.push_back({1, columns});
  // 6 | 5, 4 | 3, 2 |: one rank has 6, 3 and 2.
  const MuonShare share = MuonShareOf(matrices, 2, MuonSharding::kLayers);
  EXPECT_EQ(share.elements, 11);
  EXPECT_EQ(share.gathered, 0);
  EXPECT_EQ(share.matrices.size(), 3u);
}

TEST(MuonShare, GathersTheMatricesThatAreCut) {
  const std::vector<WeightMatrix> two = {{4, 4}, {4, 4}};
  const MuonShare halves = MuonShareOf(two, 2, MuonSharding::kGather);
  EXPECT_EQ(halves.gathered, 0);
  EXPECT_EQ(halves.matrices.size(), 1u);
  // Thirds of 32 elements: the second holds the end of one and the beginning of
  // the other.
  const MuonShare thirds = MuonShareOf(two, 3, MuonSharding::kGather);
  EXPECT_EQ(thirds.gathered, 32);
  EXPECT_EQ(thirds.matrices.size(), 2u);
  EXPECT_EQ(thirds.elements, 11);
}

TEST(Muon, GathersAtMostTwoBytesOfAMatrix) {
  // Liu et al. 2025, section 2.3: beside 4 bytes of a gradient scattered and
  // the weights gathered, BF16 momenta are gathered.
  const ModelSpec model = *LoadModel("llama3-8b");
  const TrainingSpec training = Muon(512, MuonSharding::kGather);
  const std::vector<Chunk> whole = ChunksOf(model, training.split)[0];
  int64_t gathered = 0;
  for (const Op& op : StepOf(model, training).ops) {
    if (op.name == "gather momenta") gathered += op.collective()->bytes.count();
  }
  const int64_t matrices =
      ElementsOf(MatricesOf(model, RankShape(model, training), whole)).dense;
  EXPECT_GT(gathered, matrices);
  EXPECT_LE(gathered, 2 * matrices);
}

TEST(Muon, DealtByLayersDividesTheProductsAndGathersNothing) {
  const ModelSpec model = *LoadModel("llama3-8b");
  const OpGraph one = StepOf(model, Muon(1, MuonSharding::kLayers));
  const OpGraph step = StepOf(model, Muon(8, MuonSharding::kLayers));
  for (const Op& op : step.ops) EXPECT_NE(op.name, "gather momenta");
  EXPECT_GE(ProductFlops(step), ProductFlops(one) / 8);
  EXPECT_LT(ProductFlops(step), ProductFlops(one) / 8 * 1.1);
}

TEST(Muon, OfExpertsIsSharedByTheRanksWithCopiesOfThem) {
  const ModelSpec model = *LoadModel("mixtral-8x7b");
  TrainingSpec training = Muon(8, MuonSharding::kLayers);
  training.split.expert = 8;
  // Eight ranks with an expert each: nobody shares it, so a rank has three
  // matrices of 4096 x 14336 a layer to itself; 5 x 2^40 each.
  double experts = 0;
  for (const Op& op : StepOf(model, training).ops) {
    const auto* gemm =
        op.kernel() != nullptr ? std::get_if<Gemm>(op.kernel()) : nullptr;
    if (gemm != nullptr && std::max(gemm->n, gemm->k) == 14336) {
      experts += MatrixFlops(*op.kernel(), true).count();
    }
  }
  // X X^T and B X: 7 of the 8 parts of 2^40.
  EXPECT_DOUBLE_EQ(experts, 32 * 3 * 5 * 7.0 * (1LL << 37));
}

}  // namespace
}  // namespace models
