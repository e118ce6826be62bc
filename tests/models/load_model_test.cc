#include "models/load_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <fstream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "models/model.pb.h"
#include "models/model_spec.h"
#include "models/parameters.h"
#include "sim/text_file.h"

namespace models {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

// The error of a scenario's `model`, given as a file of message Model.
std::string ErrorOf(const std::string& text) {
  Model model;
  const absl::StatusOr<sim::TextFile> file =
      sim::TextFile::Parse("a.textproto", text, &model);
  if (!file.ok()) return std::string(file.status().message());
  const absl::StatusOr<ModelSpec> spec = ResolveModel(model, file->At(""));
  return spec.ok() ? "no error" : std::string(spec.status().message());
}

ModelSpec Resolved(const std::string& text) {
  Model model;
  const absl::StatusOr<sim::TextFile> file =
      sim::TextFile::Parse("a.textproto", text, &model);
  const absl::StatusOr<ModelSpec> spec = ResolveModel(model, file->At(""));
  EXPECT_TRUE(spec.ok()) << spec.status();
  return spec.ok() ? *spec : ModelSpec();
}

TEST(Zoo, EveryModelHasThePublishedParameterCount) {
  const std::vector<std::string> names = ZooModels();
  ASSERT_THAT(names, SizeIs(testing::Ge(70)));
  for (const std::string& name : names) {
    const absl::StatusOr<Preset> preset = LoadPreset(name);
    ASSERT_TRUE(preset.ok()) << preset.status();
    const PublishedCount& published = preset->published();
    const int64_t count = CountParameters(*LoadModel(name)).total;
    if (published.has_parameters()) {
      EXPECT_EQ(count, published.parameters()) << name;
      EXPECT_FALSE(published.has_rounded()) << name;
    } else {
      EXPECT_NEAR(static_cast<double>(count), published.rounded(),
                  published.within())
          << name;
      // No looser than two significant digits, or one for "1T".
      EXPECT_LE(published.within() / published.rounded(), 0.09) << name;
    }
  }
}

TEST(Zoo, EveryFileIsNamedAsItsModelAndGivesItsSource) {
  for (const std::string& name : ZooModels()) {
    const absl::StatusOr<Preset> preset = LoadPreset(name);
    ASSERT_TRUE(preset.ok()) << preset.status();
    EXPECT_EQ(preset->name(), name);
    EXPECT_FALSE(preset->published().source().empty()) << name;
  }
}

// Counts at which transformers and safetensors arrive, from files on the Hub.
TEST(Zoo, HoldsTheExactCountsOfReleasedModels) {
  const std::pair<const char*, int64_t> counts[] = {
      {"llama2-7b", 6'738'415'616},
      {"llama3-8b", 8'030'261'248},
      {"llama3-70b", 70'553'706'496},
      {"llama3-405b", 405'853'388'800},
      {"llama3.2-1b", 1'235'814'400},
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
  for (const auto& [name, count] : counts) {
    const absl::StatusOr<ModelSpec> model = LoadModel(name);
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(CountParameters(*model).total, count) << name;
  }
}

TEST(LoadModel, AsksForTheNearestNameInTheZoo) {
  EXPECT_EQ(LoadModel("llama3-70").status().message(),
            "there is no model \"llama3-70\" in the zoo; did you mean "
            "\"llama3-70b\"?");
}

TEST(LoadModel, TakesAPathOfAPreset) {
  const std::string path = testing::TempDir() + "/tiny.textproto";
  std::ofstream(path)
      << "transformer { layers: 2 hidden: 8 heads: 2 vocab: 5 }";
  const absl::StatusOr<ModelSpec> model = LoadModel(path);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->name, "tiny");
  EXPECT_EQ(model->kv_heads, 2);     // as heads
  EXPECT_EQ(model->head_dim, 4);     // 8 / 2
  EXPECT_EQ(model->ffn_hidden, 32);  // 4 · 8
}

TEST(LoadModel, NamesThePlaceOfAMistakeInAPreset) {
  const std::string path = testing::TempDir() + "/wrong.textproto";
  std::ofstream(path) << "transformer {\n  layers: 2 hidden: 8 heads: 3\n"
                         "  vocab: 5 }\n";
  EXPECT_EQ(LoadModel(path).status().message(),
            absl::StrCat(path,
                         ":2:23: transformer.heads: 3 does not divide "
                         "hidden, 8; or set head_dim"));
}

TEST(ResolveModel, ChangesSingleFieldsOfAPreset) {
  const ModelSpec model =
      Resolved("preset: \"llama3-70b\" transformer { layers: 40 }");
  EXPECT_EQ(model.layers, 40);
  EXPECT_EQ(model.hidden, 8192);
  EXPECT_EQ(model.kv_heads, 8);
  EXPECT_EQ(model.name, "llama3-70b, changed");
}

TEST(ResolveModel, RestatingAFieldChangesNothing) {
  EXPECT_EQ(Resolved("preset: \"llama3-70b\""
                     " transformer { layers: 80 head_dim: 128"
                     " qk_norm: false full_attention_every: 0 }"),
            Resolved("preset: \"llama3-70b\""));
}

TEST(ResolveModel, TakesAShapeSpelledOut) {
  const ModelSpec model = Resolved(
      "transformer { layers: 4 hidden: 64 heads: 4 vocab: 100"
      " sliding_window: 16 full_attention_every: 2"
      " experts { count: 4 top_k: 2 ffn_hidden: 32 dense_layers: 0 } }");
  EXPECT_THAT(model.window_in_layer,
              testing::ElementsAre(true, false, true, false));
  EXPECT_THAT(model.experts->in_layer,
              testing::ElementsAre(false, true, true, true));
}

TEST(ResolveModel, TakesALinearStack) {
  EXPECT_EQ(
      CountParameters(Resolved("linear_stack { layers: 2 width: 4 }")).total,
      32);
  EXPECT_EQ(CountParameters(Resolved("preset: \"deep-linear\"")).total, 36);
}

TEST(ResolveModel, RefusesWhatDoesNotFitWithItsPlace) {
  EXPECT_EQ(ErrorOf("preset: \"lama3-8b\""),
            "a.textproto:1:1: preset: there is no model \"lama3-8b\" in the "
            "zoo; did you mean \"llama3-8b\"?");
  EXPECT_EQ(ErrorOf("preset: \"gpt2\"\nhf_config: \"c.json\""),
            "a.textproto:2:1: hf_config: cannot stand beside preset");
  EXPECT_EQ(ErrorOf("preset: \"gpt2\"\nlinear_stack { layers: 1 width: 1 }"),
            "a.textproto:2:1: linear_stack: cannot stand beside preset, "
            "hf_config or transformer");
  EXPECT_EQ(ErrorOf("preset: \"deep-linear\"\ntransformer { layers: 1 }"),
            "a.textproto:2:1: transformer: cannot change \"deep-linear\", "
            "which is a linear stack");
  EXPECT_EQ(ErrorOf("preset: \"gpt2\"\ntransformer {\n  kv_heads: 5\n}"),
            "a.textproto:3:3: transformer.kv_heads: 5 does not divide the "
            "model's 12 heads");
  EXPECT_EQ(ErrorOf("transformer {\n  layers: 0\n}"),
            "a.textproto:2:3: transformer.layers: 0 is out of range; give "
            "1..16384");
  EXPECT_EQ(ErrorOf("transformer {\n  layers: 1\n}"),
            "a.textproto:1:1: transformer.hidden: is missing; give "
            "1..1048576");
  EXPECT_EQ(ErrorOf("transformer { layers: 1 hidden: 8 heads: 1 vocab: 9\n"
                    "  rotary_fraction: 1.5\n}"),
            "a.textproto:2:3: transformer.rotary_fraction: 1.5 is out of "
            "range; give above 0, at most 1");
  EXPECT_EQ(ErrorOf("transformer { layers: 1 hidden: 8 heads: 1 vocab: 9\n"
                    "  full_attention_every: 2\n}"),
            "a.textproto:2:3: transformer.full_attention_every: has no meaning "
            "without sliding_window");
  EXPECT_EQ(ErrorOf("preset: \"mixtral-8x7b\"\n"
                    "transformer { experts { top_k: 9 } }"),
            "a.textproto:2:25: transformer.experts.top_k: 9 is more than the 8 "
            "experts");
  EXPECT_EQ(ErrorOf("preset: \"deepseek-v3\"\ntransformer { kv_heads: 1 }"),
            "a.textproto:2:15: transformer.kv_heads: has no meaning beside "
            "latent; leave one of them out");
  EXPECT_EQ(ErrorOf("transformer { layers: 16384 hidden: 1048576 heads: 1\n"
                    " vocab: 9 ffn_hidden: 16777216 }"),
            "a.textproto:1:15: transformer.layers: the model has more than "
            "1e15 parameters; give fewer layers or a smaller width");
}

}  // namespace
}  // namespace models
