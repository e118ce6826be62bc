#include "models/hugging_face.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "models/model.pb.h"
#include "models/model_spec.h"
#include "models/parameters.h"
#include "models/transformer_fields.h"
#include "sim/data_path.h"

namespace models {
namespace {

using ::testing::ElementsAre;

absl::StatusOr<HuggingFaceConfig> Load(absl::string_view name) {
  return LoadHuggingFaceConfig(
      sim::DataPath(absl::StrCat("tests/models/configs/", name, ".json"))
          .string());
}

Transformer Shape(absl::string_view text) {
  const absl::StatusOr<HuggingFaceConfig> config =
      ParseHuggingFaceConfig("config.json", text);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? config->transformer : Transformer();
}

std::string ErrorOf(absl::string_view text) {
  const absl::StatusOr<HuggingFaceConfig> config =
      ParseHuggingFaceConfig("config.json", text);
  return config.ok() ? "no error" : std::string(config.status().message());
}

// Keys of the smallest llama; put others before them.
constexpr char kSizes[] =
    R"( "num_hidden_layers": 4, "hidden_size": 64, "num_attention_heads": 4,
        "intermediate_size": 128, "vocab_size": 1000 })";

// Counts published for the released models, without DeepSeek-V3's multi-token
// prediction layer.
const std::pair<const char*, int64_t> kCounts[] = {
    {"llama-2-7b", 6'738'415'616},
    {"llama-3-8b", 8'030'261'248},
    {"llama-3.1-70b", 70'553'706'496},
    {"llama-3.1-405b", 405'853'388'800},
    {"llama-3.2-1b", 1'235'814'400},
    {"mistral-7b", 7'241'732'096},
    {"mixtral-8x7b", 46'702'792'704},
    {"mixtral-8x22b", 140'630'071'296},
    {"qwen2-7b", 7'615'616'512},
    {"qwen2-0.5b", 494'032'768},
    {"qwen3-8b", 8'190'735'360},
    {"qwen3-30b-a3b", 30'532'122'624},
    {"gpt2", 124'439'808},
    {"gpt2-xl", 1'557'611'200},
    {"gpt-neox-20b", 20'554'567'680},
    {"opt-125m", 125'239'296},
    {"opt-350m", 331'196'416},
    {"opt-6.7b", 6'658'473'984},
    {"opt-30b", 29'974'540'288},
    {"phi-2", 2'779'683'840},
    {"phi-3-mini", 3'821'079'552},
    {"gemma-2b", 2'506'172'416},
    {"gemma-7b", 8'537'680'896},
    {"gemma-2-2b", 2'614'341'888},
    {"deepseek-v2-lite", 15'706'484'224},
    {"deepseek-v2", 235'741'434'880},
    {"deepseek-v3", 671'026'419'200},
};

TEST(HuggingFace, EveryFamilyReachesThePublishedParameterCount) {
  std::set<std::string> seen;
  for (const auto& [name, count] : kCounts) {
    const absl::StatusOr<HuggingFaceConfig> config = Load(name);
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(CountParameters(ModelSpecOf(config->transformer, name)).total,
              count)
        << name;
    seen.insert(config->model_type);
  }
  for (const std::string& model_type : HuggingFaceModelTypes()) {
    EXPECT_TRUE(seen.contains(model_type)) << model_type;
  }
}

TEST(HuggingFace, ReadsTheTextConfigOfAMultimodalModel) {
  const absl::StatusOr<HuggingFaceConfig> config = Load("multimodal");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->model_type, "mistral");
  EXPECT_EQ(config->transformer.hidden(), 64);
  EXPECT_EQ(config->dtype, "bfloat16");  // from around it
}

TEST(HuggingFace, TakesTheDtypeUnderItsOldAndItsNewKey) {
  EXPECT_EQ(Load("llama-2-7b")->dtype, "float16");  // torch_dtype
  EXPECT_EQ(Load("qwen3-8b")->dtype, "bfloat16");   // dtype
  EXPECT_EQ(Load("gpt2")->dtype, "");
}

TEST(HuggingFace, FallsBackOnTheArchitecture) {
  EXPECT_TRUE(
      Shape(
          absl::StrCat(
              R"({"architectures": ["Qwen3ForCausalLM"], "num_key_value_heads": 4,)",
              kSizes))
          .qk_norm());
}

TEST(HuggingFace, LeavesTheFamilysDefaultWhereAKeyIsAbsentOrNull) {
  // tie_word_embeddings: GPT-2 true, Llama false.
  EXPECT_TRUE(Load("gpt2")->transformer.tied_embeddings());
  EXPECT_FALSE(Load("llama-3-8b")->transformer.tied_embeddings());
  EXPECT_TRUE(
      Shape(absl::StrCat(R"({"model_type": "gemma", "num_key_value_heads": 4,
                                     "tie_word_embeddings": null,)",
                         kSizes))
          .tied_embeddings());
  // Mistral's window: absent 4096, null none.
  EXPECT_EQ(Load("mistral-7b")->transformer.sliding_window(), 4096);
  EXPECT_EQ(Load("multimodal")->transformer.sliding_window(), 0);
  // n_inner null: 4 · n_embd.
  EXPECT_FALSE(Load("gpt2-xl")->transformer.has_ffn_hidden());
}

TEST(HuggingFace, WindowsFollowLayerTypesElseTheFamilysPattern) {
  EXPECT_EQ(Load("gemma-2-2b")->transformer.full_attention_every(), 2);
  EXPECT_EQ(Load("qwen2-7b")->transformer.sliding_window(), 0);
  const Transformer listed = Shape(absl::StrCat(
      R"({"model_type": "gemma2", "num_key_value_heads": 2, "layer_types":
          ["full_attention", "sliding_attention", "sliding_attention",
           "full_attention"],)",
      kSizes));
  EXPECT_THAT(listed.full_attention_layers(), ElementsAre(0, 3));
  const Transformer qwen = Shape(absl::StrCat(
      R"({"model_type": "qwen2", "num_key_value_heads": 2, "sliding_window": 32,
          "use_sliding_window": true, "max_window_layers": 3,)",
      kSizes));
  EXPECT_THAT(qwen.full_attention_layers(), ElementsAre(0, 1, 2));
}

TEST(HuggingFace, RotaryFractionIsBesideTheKeysOrInRopeParameters) {
  EXPECT_EQ(Load("phi-2")->transformer.rotary_fraction(), 0.4);
  EXPECT_EQ(Load("gpt-neox-20b")->transformer.rotary_fraction(), 0.25);
  EXPECT_EQ(Shape(absl::StrCat(R"({"model_type": "phi", "rope_parameters":
                                   {"partial_rotary_factor": 0.75},)",
                               kSizes))
                .rotary_fraction(),
            0.75);
}

TEST(HuggingFace, LayersWithExpertsFollowStepAndList) {
  const Transformer moe = Shape(absl::StrCat(
      R"({"model_type": "qwen3_moe", "decoder_sparse_step": 2,
          "mlp_only_layers": [3],)",
      kSizes));
  const ModelSpec model = ModelSpecOf(moe, "moe");
  // Layers 1 and 3 by the step, 3 taken out again.
  EXPECT_THAT(model.experts->in_layer, ElementsAre(false, true, false, false));
}

TEST(HuggingFace, RefusesAnUnknownFamilyWithTheKnownOnes) {
  const std::string known =
      "known model types are deepseek_v2, deepseek_v3, gemma, gemma2, gpt2, "
      "gpt_neox, llama, mistral, mixtral, opt, phi, phi3, qwen2, qwen3, "
      "qwen3_moe";
  EXPECT_EQ(ErrorOf("{\n  \"model_type\": \"t5\"\n}"),
            "config.json:2:3: model_type: \"t5\" is not known; " + known);
  EXPECT_EQ(ErrorOf("{}"), "config.json: model_type: is missing; " + known);
}

TEST(HuggingFace, NamesThePlaceOfAMistake) {
  EXPECT_EQ(ErrorOf("{\n  \"model_type\": \"llama\",\n  \"hidden_size\": \"x\","
                    "\n  \"num_hidden_layers\": 4 }"),
            "config.json:3:3: hidden_size: expected a whole number, got \"x\"");
  EXPECT_EQ(ErrorOf(R"({"model_type": "llama", "num_hidden_layers": 4})"),
            "config.json: hidden_size: is missing");
  EXPECT_EQ(ErrorOf(absl::StrCat("{\"model_type\": \"llama\",\n"
                                 "\"num_key_value_heads\": 3,",
                                 kSizes)),
            "config.json:2:1: num_key_value_heads: 3 does not divide the "
            "model's 4 heads");
  EXPECT_EQ(ErrorOf(absl::StrCat("{\"model_type\": \"llama\",\n"
                                 "\"head_dim\": 99999999999999999999,",
                                 kSizes)),
            "config.json:2:1: head_dim: expected a whole number, got "
            "1e+20");
  EXPECT_EQ(
      ErrorOf(absl::StrCat("{\"model_type\": \"llama\",\n"
                           "\"head_dim\": -1,",
                           kSizes)),
      "config.json:2:1: head_dim: -1 is out of range; give 0..2147483647");
  EXPECT_EQ(ErrorOf(absl::StrCat("{\"model_type\": \"gemma2\",\n"
                                 "\"layer_types\": [\"linear_attention\"],",
                                 kSizes)),
            "config.json:2:1: layer_types: \"linear_attention\" is not known; "
            "known are full_attention and sliding_attention");
  EXPECT_EQ(ErrorOf(absl::StrCat("{\"model_type\": \"llama\",\n"
                                 "\"hidden_act\": \"mish\",",
                                 kSizes)),
            "config.json:2:1: hidden_act: \"mish\" is not known; known are "
            "gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, relu, relu2, silu "
            "and swish");
}

TEST(HuggingFace, NamesThePlaceOfBrokenJson) {
  EXPECT_EQ(ErrorOf("{\n  \"a\": 1,\n  b: 2\n}"),
            "config.json:3:3: syntax error while parsing object key - invalid "
            "literal; last read: '1,<U+000A>  b'; expected string literal");
  EXPECT_EQ(ErrorOf("[]"), "config.json:1:1: expected an object, { … }");
  EXPECT_THAT(ErrorOf(""), testing::StartsWith("config.json:1:1: "));
  EXPECT_THAT(ErrorOf("{\"a\": 1e999}"), testing::StartsWith("config.json: "));
}

}  // namespace
}  // namespace models
