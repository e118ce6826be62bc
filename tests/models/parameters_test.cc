#include "models/parameters.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "models/model_spec.h"

namespace models {
namespace {

ModelSpec Llama2With70B() {
  ModelSpec model;
  model.layers = 80;
  model.hidden = 8192;
  model.heads = 64;
  model.kv_heads = 8;
  model.head_dim = 128;
  model.ffn_hidden = 28672;
  model.vocab = 32000;
  model.max_positions = 4096;
  model.gated_mlp = true;
  model.norm = Norm::kRmsNorm;
  return model;
}

int64_t ElementsOf(const ParameterGroup& group, absl::string_view name) {
  for (const ParameterTensor& tensor : group.tensors) {
    if (tensor.name == name) return tensor.elements();
  }
  return -1;
}

TEST(Parameters, OfLlama2With70BTensorByTensor) {
  const Parameters parameters = CountParameters(Llama2With70B());
  ASSERT_EQ(parameters.groups.size(), 3u);
  const ParameterGroup& layer = parameters.groups[1];
  EXPECT_EQ(layer.layers, 80);
  // 8192 · 8192; 8 key-value heads of 128: 8192 · 1024; 8192 · 28672.
  EXPECT_EQ(ElementsOf(layer, "attention.query.weight"), 67'108'864);
  EXPECT_EQ(ElementsOf(layer, "attention.key.weight"), 8'388'608);
  EXPECT_EQ(ElementsOf(layer, "attention.value.weight"), 8'388'608);
  EXPECT_EQ(ElementsOf(layer, "attention.output.weight"), 67'108'864);
  EXPECT_EQ(ElementsOf(layer, "mlp.gate.weight"), 234'881'024);
  EXPECT_EQ(ElementsOf(layer, "mlp.up.weight"), 234'881'024);
  EXPECT_EQ(ElementsOf(layer, "mlp.down.weight"), 234'881'024);
  // 855,638,016 in matrices and two norms of 8192.
  EXPECT_EQ(layer.elements(), 855'638'016 + 2 * 8192);
  // 80 layers, 32000 · 8192 = 262,144,000 twice, the final norm.
  EXPECT_EQ(parameters.total,
            80 * (int64_t{855'638'016} + 2 * 8192) + 2 * 262'144'000 + 8192);
  EXPECT_EQ(parameters.total, 68'976'648'192);
  EXPECT_EQ(parameters.embedding, 2 * 262'144'000);
  EXPECT_EQ(parameters.active, parameters.total);
}

TEST(Parameters, ATokenMeetsTopKOfTheExperts) {
  ModelSpec model = Llama2With70B();  // with Mixtral-8x7B's shape
  model.layers = 32;
  model.hidden = 4096;
  model.heads = 32;
  model.experts = Experts{.count = 8,
                          .top_k = 2,
                          .ffn_hidden = 14336,
                          .in_layer = std::vector<bool>(32, true)};
  const Parameters parameters = CountParameters(model);
  EXPECT_EQ(parameters.total, 46'702'792'704);
  // Six of eight experts of 3 · 4096 · 14336 = 176,160,768 stay idle in each of
  // 32 layers: 46,702,792,704 - 33,822,867,456.
  EXPECT_EQ(parameters.active, 12'879'925'248);
}

TEST(Parameters, LayersThatAreDenseAndLayersWithExpertsAreCountedApart) {
  ModelSpec model = Llama2With70B();
  model.layers = 4;
  model.experts = Experts{.count = 4,
                          .top_k = 1,
                          .ffn_hidden = 100,
                          .shared_ffn_hidden = 50,
                          .shared_gate = true,
                          .router_bias = true,
                          .in_layer = {false, true, true, true}};
  const Parameters parameters = CountParameters(model);
  ASSERT_EQ(parameters.groups.size(), 4u);
  EXPECT_EQ(parameters.groups[1].layers, 1);
  EXPECT_EQ(parameters.groups[2].layers, 3);
  // In place of 3 · 8192 · 28672 of the MLP: 4 experts of 3 · 8192 · 100, one
  // of 3 · 8192 · 50, a router of 4 · 8192 with 4 biases, a gate of 8192.
  const int64_t attention_and_norms = 150'994'944 + 2 * 8192;
  EXPECT_EQ(LayerParameters(model, 0), attention_and_norms + 704'643'072);
  EXPECT_EQ(LayerParameters(model, 1), attention_and_norms + 4 * 2'457'600 +
                                           1'228'800 + 4 * 8192 + 4 + 8192);
  EXPECT_EQ(parameters.groups[2].elements(), LayerParameters(model, 1));
}

TEST(Parameters, OfALinearStackAreItsMatrices) {
  ModelSpec stack;
  stack.linear_stack = true;
  stack.layers = 2;
  stack.hidden = 4;
  stack.linear_outputs = 1;
  // D²·L + D = 16 · 2 + 4.
  EXPECT_EQ(CountParameters(stack).total, 36);
  EXPECT_EQ(CountParameters(stack).embedding, 0);
}

}  // namespace
}  // namespace models
