// Multi-token prediction: parameters, FLOPs, and what runs.
#include <gtest/gtest.h>

#include <cstdlib>

#include "models/load_model.h"
#include "models/operator_totals.h"
#include "models/parameters.h"
#include "models/training_graph.h"
#include "models/weight_matrices.h"

namespace models {
namespace {

ModelSpec DeepSeekV3(int64_t depth) {
  ModelSpec model = *LoadModel("deepseek-v3");
  model.mtp_depth = depth;
  return model;
}

// Llama-3-8B with two layers.
ModelSpec Llama(int64_t depth) {
  ModelSpec model = *LoadModel("llama3-8b");
  model.layers = 2;
  model.mtp_depth = depth;
  return model;
}

OpGraph GraphOf(const ModelSpec& model, const TrainingSpec& training) {
  const auto stages = ChunksOf(model, training.split);
  return BuildChunk(model, training, stages.back().back());
}

TEST(Mtp, OfDeepSeekV3Has11Point6BillionParameters) {
  // README_WEIGHTS.md of the model: 11.5 billion of its own. Projection
  // 14336 x 7168, a layer of 11,507,286,784, three norms of 7168.
  const int64_t own =
      CountParameters(DeepSeekV3(1)).total - CountParameters(DeepSeekV3(0)).total;
  EXPECT_EQ(own, 14336 * 7168 + LayerParameters(DeepSeekV3(0), 60) + 3 * 7168);
  EXPECT_NEAR(static_cast<double>(own), 11.5e9, 0.15e9);
  // Hugging Face counts 685 billion: the file holds embedding and head twice.
  EXPECT_NEAR(static_cast<double>(CountParameters(DeepSeekV3(1)).total +
                                  2 * 129'280 * 7168),
              685e9, 0.6e9);
}

TEST(Mtp, RanksHoldWhatTheModelHas) {
  TrainingSpec training;
  training.pad_vocab_to = 1;
  for (const ModelSpec& model : {DeepSeekV3(1), Llama(2)}) {
    const RankShape shape(model, training);
    const std::vector<Chunk> whole = ChunksOf(model, {})[0];
    EXPECT_EQ(shape.ParametersOf(whole[0]).total(),
              CountParameters(model).total);
    int64_t vectors = 0;
    for (const ParameterGroup& group : CountParameters(model).groups) {
      for (const ParameterTensor& tensor : group.tensors) {
        if (tensor.shape.size() == 1) {
          vectors += group.layers * tensor.elements();
        }
      }
    }
    EXPECT_EQ(ElementsOf(MatricesOf(model, shape, whole)).total() +
                  ElementsOf(TablesOf(model, shape, whole)).total() + vectors,
              CountParameters(model).total);
  }
}

TEST(Mtp, TheLastStageHoldsACopyOfTheEmbedding) {
  TrainingSpec training;
  training.pad_vocab_to = 1;
  training.split.pipeline = 2;
  const auto end = [&](int64_t depth) {
    const ModelSpec model = Llama(depth);
    return RankShape(model, training)
        .ParametersOf(ChunksOf(model, training.split)[1][0])
        .total();
  };
  const int64_t own = CountParameters(Llama(1)).total -
                      CountParameters(Llama(0)).total;
  EXPECT_EQ(end(1) - end(0), own + 128'256 * 4096);
}

TEST(Mtp, GraphMultipliesAsMuchAsTheClosedForm) {
  TrainingSpec training;
  training.sequence_length = 1024;
  training.pad_vocab_to = 1;
  for (const int64_t depth : {0, 1, 2}) {
    const ModelSpec model = Llama(depth);
    double forward = 0;
    for (const Op& op : GraphOf(model, training).ops) {
      if (op.kernel() != nullptr && op.phase == Phase::kForward) {
        forward += MatrixFlops(*op.kernel(), true).count();
      }
    }
    const double closed =
        SumOf(ProductsOf(model, 1, 1024, true)).forward.count();
    EXPECT_NEAR(forward / closed, 1, 1e-3) << depth;
  }
}

TEST(Mtp, EachDepthRunsALayerAHeadAndALossOfItsOwn) {
  TrainingSpec training;
  training.sequence_length = 1024;
  const OpGraph graph = GraphOf(Llama(2), training);
  int64_t losses = 0, layers = 0, embeddings = 0;
  for (const Op& op : graph.ops) {
    if (op.phase != Phase::kForward) continue;
    losses += op.name == "cross-entropy" ? 1 : 0;
    layers += op.name == "qkv" ? 1 : 0;
    embeddings += op.name == "embedding" ? 1 : 0;
  }
  EXPECT_EQ(losses, 3);
  EXPECT_EQ(layers, 4);
  EXPECT_EQ(embeddings, 3);
}

TEST(Mtp, TheEmbeddingsGradientIsSummedOverBothEndsOfAPipeline) {
  TrainingSpec training;
  training.split.pipeline = 2;
  const ModelSpec model = Llama(1);
  const OpGraph step =
      BuildStep(model, training, ChunksOf(model, training.split)[1]);
  int64_t sums = 0;
  for (const Op& op : step.ops) sums += op.name == "reduce tied embedding";
  EXPECT_EQ(sums, 1);
}

}  // namespace
}  // namespace models
