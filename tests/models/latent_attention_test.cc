#include "models/latent_attention.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "models/activation_memory.h"
#include "models/load_model.h"
#include "models/operator_totals.h"
#include "models/parameters.h"
#include "models/rank_shape.h"
#include "models/training_graph.h"

namespace models {
namespace {

// DeepSeek-V3's attention (128 heads of 128 + 64 and 128, ranks 1536 and 512)
// in two dense layers.
ModelSpec Dense() {
  ModelSpec model = *LoadModel("deepseek-v3");
  model.experts.reset();
  model.layers = 2;
  return model;
}

TrainingSpec Training(Split split = {}) {
  TrainingSpec t;
  t.sequence_length = 4096;
  t.split = split;
  t.pad_vocab_to = 1;
  t.kernels.attention = AttentionFamily::kCudnn;
  return t;
}

OpGraph Whole(const ModelSpec& model, const TrainingSpec& training) {
  return BuildChunk(model, training, ChunksOf(model, training.split)[0][0]);
}

// Elements that ops of this name multiply or move, summed over the graph.
std::map<std::string, double> FlopsByName(const OpGraph& graph) {
  std::map<std::string, double> flops;
  for (const OperatorTotal& t : TotalsOf(graph)) {
    flops[t.name] += t.matrix_flops.count();
  }
  return flops;
}

std::map<std::string, int64_t> BytesByName(const OpGraph& graph,
                                           CollectiveKind kind) {
  std::map<std::string, int64_t> bytes;
  for (const Op& op : graph.ops) {
    const Collective* c = op.collective();
    if (c == nullptr || c->kind != kind) continue;
    bytes[op.phase == Phase::kForward ? "forward" : "backward"] +=
        c->bytes.count();
  }
  return bytes;
}

TEST(LatentAttention, HoldsTheParametersOfItsMatricesAndNorms) {
  const ModelSpec model = Dense();
  // Down 7168·(1536 + 576), norms 1536 + 512.
  const int64_t replicated = 7168 * 2112 + 2048;
  EXPECT_EQ(ReplicatedLatentParameters(model), replicated);
  // Up 1536·128·192 and 512·128·256, out 128·128·7168.
  const int64_t divided = 1536 * 128 * 192 + 512 * 128 * 256 + 128 * 128 * 7168;
  EXPECT_EQ(LatentAttentionParameters(model, 128), replicated + divided);
  EXPECT_EQ(LatentAttentionParameters(model, 16), replicated + divided / 8);
}

TEST(LatentAttention, RanksTogetherHoldTheModelAndCopiesOfWhatIsReplicated) {
  for (const char* name : {"deepseek-v2", "deepseek-v2-lite", "deepseek-v3"}) {
    ModelSpec model = *LoadModel(name);
    model.experts.reset();
    const int64_t whole = LayerParameters(model, 0);
    for (const int64_t tp : {1, 2, 4, 8}) {
      const RankShape rank(model, Training({.tensor = tp}));
      const int64_t copied = ReplicatedLatentParameters(model) +
                             model.norms_per_layer * model.hidden;
      EXPECT_EQ(tp * rank.dense_layer.dense, whole + (tp - 1) * copied)
          << name << " " << tp;
    }
  }
}

TEST(LatentAttention, MultipliesAsItsClosedForm) {
  const ModelSpec model = Dense();
  const auto flops = FlopsByName(Whole(model, Training()));
  // 2 layers, 2 FLOPs, 4096 tokens.
  const double each = 2 * 2 * 4096.0;
  EXPECT_EQ(flops.at("query down"), each * 7168 * 1536);
  EXPECT_EQ(flops.at("query up"), each * 1536 * 128 * 192);
  EXPECT_EQ(flops.at("kv down"), each * 7168 * 576);
  EXPECT_EQ(flops.at("kv up"), each * 512 * 128 * 256);
  EXPECT_EQ(flops.at("kv up dgrad"), flops.at("kv up"));
  EXPECT_EQ(flops.at("query down wgrad"), flops.at("query down"));
  EXPECT_EQ(flops.at("attention out"), each * 128 * 128 * 7168);
  // QK^T 192 and PV 128 for each of 128 heads and 4096² pairs; backward
  // 3·192 + 2·128.
  EXPECT_EQ(flops.at("attention"), each * 4096 * 128 * 320);
  EXPECT_EQ(flops.at("attention backward"), each * 4096 * 128 * 832);
}

TEST(LatentAttention, WithoutQueryCompressionQueriesAreOneProduct) {
  ModelSpec model = Dense();
  model.latent->q_lora_rank = 0;
  const auto flops = FlopsByName(Whole(model, Training()));
  EXPECT_EQ(flops.at("query"), 2 * 2 * 4096.0 * 7168 * 128 * 192);
  EXPECT_EQ(flops.count("query down"), 0u);
  EXPECT_EQ(flops.count("query up"), 0u);
}

TEST(LatentAttention, TensorParallelRanksDivideHeadsNotDownProjections) {
  const ModelSpec model = Dense();
  const auto whole = FlopsByName(Whole(model, Training()));
  const auto part = FlopsByName(Whole(model, Training({.tensor = 8})));
  for (const char* name : {"query down", "kv down", "kv down dgrad"}) {
    EXPECT_EQ(part.at(name), whole.at(name)) << name;
  }
  for (const char* name : {"query up", "kv up", "attention", "attention out"}) {
    EXPECT_EQ(part.at(name) * 8, whole.at(name)) << name;
  }
  // Under sequence parallelism each rank compresses its own tokens.
  const auto own =
      FlopsByName(Whole(model, Training({.tensor = 8, .sequence = true})));
  EXPECT_EQ(own.at("query down") * 8, whole.at("query down"));
  EXPECT_EQ(own.at("kv down wgrad") * 8, whole.at("kv down wgrad"));
  EXPECT_EQ(own.at("kv up") * 8, whole.at("kv up"));
}

TEST(LatentAttention, SequenceParallelRanksGatherTheNarrowTensors) {
  const ModelSpec model = Dense();
  TrainingSpec training = Training({.tensor = 8, .sequence = true});
  training.overlap.tensor = false;
  const OpGraph graph = Whole(model, training);
  // A layer gathers, of 4096 tokens in 16 bits, compressed queries (1536), keys
  // and values (512), the rotary key (64) and, before the MLP, 7168; the head
  // 7168 once more.
  const int64_t narrow = 1536 + 512 + 64;
  EXPECT_EQ(BytesByName(graph, CollectiveKind::kAllGather).at("forward"),
            2 * 4096 * (2 * (narrow + 7168) + 7168));
  // Backward scatters their gradients (and the head's 7168); forward scatters
  // behind each row-parallel product and the embedding.
  const auto scattered = BytesByName(graph, CollectiveKind::kReduceScatter);
  EXPECT_EQ(scattered.at("backward"), 2 * 4096 * (2 * (narrow + 7168) + 7168));
  EXPECT_EQ(scattered.at("forward"), 2 * 4096 * (2 * 2 * 7168 + 7168));
}

// Bytes a token keeps in attention between its norm and its output projection,
// from the first of two layers.
int64_t KeptBetween(const TrainingSpec& training) {
  const ModelSpec model = Dense();
  return KeptBytes(Whole(model, training), 0).count() / 4096;
}

TEST(LatentAttention, KeepsCompressedAndProjectedTensors) {
  // 16 bits each: the layer's input or output 7168, both norms 2·7168, the
  // MLP's input 7168, up and gate 2·18432, activated 18432; compressed queries
  // and their norm 2·1536; compressed keys and values 576 and their norm 512;
  // queries and keys 2·128·192, values and context 2·128·128; and in FP32 the
  // log-sum-exp of 128 heads.
  const int64_t narrow = 2 * 1536 + 576 + 512;
  const int64_t wide = 2 * 128 * 192 + 128 * 128;
  const int64_t rest = 2 * (4 * 7168 + 3 * 18432 + 128 * 128) + 4 * 128;
  EXPECT_EQ(KeptBetween(Training()), 2 * (narrow + wide) + rest);
  // Megatron's mla_up_proj: queries, keys and values are made again from what
  // is narrow and the rotated key.
  TrainingSpec again = Training();
  again.recompute = Recompute::kLatentUp;
  EXPECT_EQ(KeptBetween(again), 2 * (narrow + 64) + rest - 2 * 64);
}

TEST(LatentAttention, PaddedValuesAreCopiedAndKept) {
  TrainingSpec padded = Training();
  padded.kernels.attention = AttentionFamily::kFlash2;
  // Values and context of 192 instead of 128 in 128 heads, and the context once
  // more without its padding.
  EXPECT_EQ(KeptBetween(padded),
            KeptBetween(Training()) + 2 * 128 * (64 + 192));
  const auto flops = FlopsByName(Whole(Dense(), padded));
  EXPECT_EQ(flops.count("pad values"), 1u);
  EXPECT_EQ(flops.count("cut value gradient"), 1u);
  EXPECT_EQ(FlopsByName(Whole(Dense(), Training())).count("pad values"), 0u);
}

TEST(LatentAttention, MaterialisedScoresMultiplyAsTheFusedKernel) {
  TrainingSpec materialised = Training();
  materialised.kernels.fused_attention = false;
  const auto flops = FlopsByName(Whole(Dense(), materialised));
  // Two layers, 128 heads, 4096² pairs, 2 FLOPs.
  const double pairs = 2 * 128 * 4096.0 * 4096 * 2;
  EXPECT_EQ(flops.at("attention scores"), pairs * 192);
  EXPECT_EQ(flops.at("attention values"), pairs * 128);
  EXPECT_EQ(flops.at("attention values dgrad"), pairs * 128);
  EXPECT_EQ(flops.at("attention scores wgrad"), pairs * 192);
}

TEST(LatentAttention, OnlyOldKernelsWorkAtOneHeadDimension) {
  Attention a{.head_dim = 192, .value_head_dim = 128};
  const auto width = [&](AttentionFamily family, bool backward) {
    a.family = family;
    a.backward = backward;
    return AsMultiplied(a).value_head_dim;
  };
  EXPECT_EQ(width(AttentionFamily::kFlash2, false), 192);
  EXPECT_EQ(width(AttentionFamily::kFlash2, true), 192);
  EXPECT_EQ(width(AttentionFamily::kFlash3, false), 128);
  EXPECT_EQ(width(AttentionFamily::kFlash3, true), 192);
  EXPECT_EQ(width(AttentionFamily::kCudnn, false), 128);
  EXPECT_EQ(width(AttentionFamily::kCudnn, true), 128);
}

}  // namespace
}  // namespace models
