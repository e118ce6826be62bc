#include "models/weight_matrices.h"

#include <gtest/gtest.h>

#include "models/load_model.h"
#include "models/parameters.h"

namespace models {
namespace {

TEST(WeightMatrices, OfALayerOfLlama3With8B) {
  const ModelSpec model = *LoadModel("llama3-8b");
  const RankShape shape(model, TrainingSpec{});
  const std::vector<WeightMatrix> layer = MatricesOf(model, shape, 0);
  ASSERT_EQ(layer.size(), 7u);
  // q and out 4096^2, k and v 1024 x 4096, up, gate and down 14336 x 4096:
  // 2 x 16,777,216 + 2 x 4,194,304 + 3 x 58,720,256.
  EXPECT_EQ(ElementsOf(layer).dense, 218'103'808);
  EXPECT_EQ(layer[6].rows, 4096);
  EXPECT_EQ(layer[6].columns, 14336);
}

TEST(WeightMatrices, AndVectorsAreAllOfALayerInEveryModelOfTheZoo) {
  for (const char* name :
       {"llama3-8b", "gpt2", "bloom-176b", "deepseek-v3", "deepseek-v2-lite",
        "mixtral-8x7b", "gemma-2-9b", "nemotron-4-15b"}) {
    const ModelSpec model = *LoadModel(name);
    TrainingSpec training;
    training.pad_vocab_to = 1;
    const RankShape shape(model, training);
    int64_t vectors = 0;
    for (const ParameterGroup& group : CountParameters(model).groups) {
      if (group.name != "layer" && group.name != "expert layer") continue;
      for (const ParameterTensor& tensor : group.tensors) {
        if (tensor.shape.size() == 1) {
          vectors += group.layers * tensor.elements();
        }
      }
    }
    int64_t all = 0, matrices = 0;
    for (int64_t layer = 0; layer < model.layers; ++layer) {
      all += shape.LayerParameters(layer).total();
      matrices += ElementsOf(MatricesOf(model, shape, layer)).total();
    }
    EXPECT_EQ(matrices + vectors, all) << name;
  }
}

TEST(WeightMatrices, TablesAreTheEndsOfTheModelWithoutTheirNorms) {
  for (const char* name : {"llama3-8b", "gpt2", "opt-66b", "llama3.2-1b"}) {
    const ModelSpec model = *LoadModel(name);
    TrainingSpec training;
    training.pad_vocab_to = 1;
    const std::vector<Chunk> whole = ChunksOf(model, {})[0];
    EXPECT_EQ(
        ElementsOf(TablesOf(model, RankShape(model, training), whole)).dense,
        CountParameters(model).embedding)
        << name;
  }
}

}  // namespace
}  // namespace models
