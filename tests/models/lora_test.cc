// Low-rank adaptation: what runs, what is kept and what is held.
#include <gtest/gtest.h>

#include <string>

#include "models/adapters.h"
#include "models/data_parallel.h"
#include "models/training_graph.h"

namespace models {
namespace {

// Two layers of Llama-2-7B.
ModelSpec Llama() {
  ModelSpec model;
  model.layers = 2;
  model.hidden = 4096;
  model.heads = model.kv_heads = 32;
  model.head_dim = 128;
  model.ffn_hidden = 11008;
  model.gated_mlp = true;
  model.norm = Norm::kRmsNorm;
  model.positions = Positions::kRotary;
  model.vocab = 32000;
  model.max_positions = 4096;
  return model;
}

TrainingSpec Adapted(std::vector<LoraTarget> targets) {
  TrainingSpec training;
  training.sequence_length = 1024;
  training.global_batch = 1;
  training.pad_vocab_to = 1;
  training.lora = {.rank = 8, .targets = std::move(targets)};
  return training;
}

OpGraph GraphOf(const TrainingSpec& training) {
  const ModelSpec model = Llama();
  return BuildChunk(model, training, ChunksOf(model, training.split)[0][0]);
}

int64_t Count(const OpGraph& graph, absl::string_view name,
              Phase phase = Phase::kBackward) {
  int64_t count = 0;
  for (const Op& op : graph.ops) {
    count += op.name == name && op.phase == phase ? 1 : 0;
  }
  return count;
}

double ProductFlops(const OpGraph& graph, Phase phase) {
  double flops = 0;
  for (const Op& op : graph.ops) {
    if (op.phase != phase || op.kernel() == nullptr) continue;
    if (!std::holds_alternative<Gemm>(*op.kernel())) continue;
    flops += MatrixFlops(*op.kernel(), false).count();
  }
  return flops;
}

TEST(Lora, OfQueriesAndValuesTrainsWhatPeftPrints) {
  // PEFT's "trainable params" of Llama-2-7B, r = 8, q_proj and v_proj: in each
  // of 32 layers 2 x (4096 x 8 + 8 x 4096) = 131,072; 4,194,304 in all.
  ModelSpec model = Llama();
  model.layers = 32;
  const TrainingSpec t = Adapted({LoraTarget::kQuery, LoraTarget::kValue});
  const RankShape shape(model, t);
  EXPECT_EQ(shape.adapters, 131'072);
  const Chunk whole = ChunksOf(model, t.split)[0][0];
  EXPECT_EQ(shape.TrainedOf(whole).total(), 4'194'304);
  // All of Llama-2-7B and the adapters.
  EXPECT_EQ(shape.ParametersOf(whole).total(), 6'738'415'616 + 4'194'304);
}

TEST(Lora, AdaptersOfAFusedProductAreOneAndOfItsPartsSeveral) {
  const TrainingSpec fused = Adapted({LoraTarget::kQkv, LoraTarget::kFc1});
  const TrainingSpec parts =
      Adapted({LoraTarget::kQuery, LoraTarget::kKey, LoraTarget::kValue,
               LoraTarget::kGate, LoraTarget::kUp});
  // A 4096 x 8 and B 8 x 12288; A 4096 x 8 and B 8 x 22016.
  EXPECT_EQ(RankShape(Llama(), fused).adapters,
            8 * (4096 + 12288) + 8 * (4096 + 22016));
  // One A for each part.
  EXPECT_EQ(RankShape(Llama(), parts).adapters,
            8 * (3 * 4096 + 12288) + 8 * (2 * 4096 + 22016));
  EXPECT_EQ(Count(GraphOf(fused), "lora A", Phase::kForward), 2 * 2);
  EXPECT_EQ(Count(GraphOf(parts), "lora A", Phase::kForward), 2 * 5);
}

TEST(Lora, FrozenWeightsHaveNoGradientProducts) {
  const OpGraph graph = GraphOf(Adapted({LoraTarget::kQkv}));
  for (const absl::string_view name :
       {"qkv wgrad", "attention out wgrad", "mlp up wgrad", "mlp down wgrad",
        "logits wgrad", "embedding backward"}) {
    EXPECT_EQ(Count(graph, name), 0) << name;
  }
  EXPECT_EQ(Count(graph, "logits dgrad"), 1);
  EXPECT_EQ(Count(graph, "lora A wgrad"), 2);
  EXPECT_EQ(Count(graph, "lora B wgrad"), 2);
}

TEST(Lora, GradientsOfActivationsEndAtTheFirstAdapter) {
  const OpGraph qkv = GraphOf(Adapted({LoraTarget::kQkv}));
  // Of the first layer's adapter only the weights have gradients.
  EXPECT_EQ(Count(qkv, "qkv dgrad"), 1);
  EXPECT_EQ(Count(qkv, "lora A dgrad"), 1);
  EXPECT_EQ(Count(qkv, "lora B dgrad"), 2);
  EXPECT_EQ(Count(qkv, "attention norm backward"), 1);
  EXPECT_EQ(Count(qkv, "attention backward"), 2);
  // The attention of the first layer comes before its first adapter.
  const OpGraph fc2 = GraphOf(Adapted({LoraTarget::kFc2}));
  EXPECT_EQ(Count(fc2, "attention backward"), 1);
  EXPECT_EQ(Count(fc2, "mlp up dgrad"), 1);
  EXPECT_EQ(Count(fc2, "mlp down dgrad"), 1);
  // A layer that is recomputed whole needs the gradient of its input.
  TrainingSpec recomputed = Adapted({LoraTarget::kQkv});
  recomputed.recompute = Recompute::kFull;
  EXPECT_EQ(Count(GraphOf(recomputed), "qkv dgrad"), 2);
}

TEST(Lora, ProductsAreForwardAndInputGradientsAndThoseOfAdapters) {
  const OpGraph graph = GraphOf(Adapted({LoraTarget::kQkv}));
  const double tokens = 1024;
  // A layer: 4096 x 12288 + 4096 x 4096 + 3 x 4096 x 11008.
  const double layer = 202'375'168, qkv = 4096.0 * 12288, head = 4096.0 * 32000;
  const double adapter = 8 * (4096.0 + 12288);
  EXPECT_EQ(ProductFlops(graph, Phase::kForward),
            2 * tokens * (2 * layer + head + 2 * adapter));
  // Backward: every product once, less the first layer's QKV; of adapters both
  // gradients, less the input gradient of the first layer's A.
  EXPECT_EQ(ProductFlops(graph, Phase::kBackward),
            2 * tokens *
                (2 * layer + head - qkv + 4 * adapter - 8 * 4096.0));
}

TEST(Lora, KeepsNothingForWeightGradientsThatAreNotMade) {
  const auto kept = [](const OpGraph& graph, absl::string_view maker) {
    bool read_backward = false;
    for (size_t row = 0; row < graph.ops.size(); ++row) {
      const auto reader = sim::AsId<OpId>(row);
      if (graph.ops[reader].phase != Phase::kBackward) continue;
      for (const TensorId tensor : graph.frees[reader]) {
        for (size_t made = 0; made < row; ++made) {
          const auto op = sim::AsId<OpId>(made);
          if (graph.ops[op].name != maker) continue;
          for (const TensorId output : graph.makes[op]) {
            read_backward = read_backward || output == tensor;
          }
        }
      }
    }
    return read_backward;
  };
  const OpGraph qkv = GraphOf(Adapted({LoraTarget::kQkv}));
  EXPECT_TRUE(kept(qkv, "attention norm"));     // input of A
  EXPECT_FALSE(kept(qkv, "gated activation"));  // input of the down projection
  EXPECT_FALSE(kept(qkv, "mlp norm"));
  EXPECT_TRUE(kept(qkv, "mlp up"));  // the activation's gradient reads it
  const OpGraph fc2 = GraphOf(Adapted({LoraTarget::kFc2}));
  EXPECT_TRUE(kept(fc2, "gated activation"));
  EXPECT_FALSE(kept(fc2, "attention norm"));
}

TEST(Lora, TensorParallelAdaptersExchangeWhatParallelLinearAdapterDoes) {
  TrainingSpec training =
      Adapted({LoraTarget::kQkv, LoraTarget::kAttentionOut});
  training.split = {.tensor = 4, .sequence = true};
  training.lora.rank = 16;
  const ModelSpec model = Llama();
  // Column-parallel: A 4096 x 4, B 16 x 3072; row-parallel: A 1024 x 16,
  // B 16 x 1024.
  EXPECT_EQ(RankShape(model, training).adapters,
            4096 * 4 + 16 * 3072 + 1024 * 16 + 16 * 1024);
  const auto moved = [&](const TrainingSpec& t, Phase phase) {
    int64_t bytes = 0;
    for (const Op& op :
         BuildChunk(model, t, ChunksOf(model, t.split)[0][0]).ops) {
      const Collective* c = op.collective();
      if (c != nullptr && op.phase == phase) bytes += c->bytes.count();
    }
    return bytes;
  };
  TrainingSpec plain = training;
  plain.lora = {};
  // Forward, a layer: A's columns gathered, 1024 x 16; A's rows summed, as many;
  // B's columns gathered, 1024 x 4096. Two layers, two bytes.
  EXPECT_EQ(moved(training, Phase::kForward) - moved(plain, Phase::kForward),
            2 * 2 * (2 * 1024 * 16 + 1024 * 4096));
  // As an all-to-all each rank sends a quarter of that.
  training.lora.all_to_all = true;
  EXPECT_EQ(moved(training, Phase::kForward) - moved(plain, Phase::kForward),
            2 * 2 * (2 * 1024 * 16 + 1024 * 1024));
}

TEST(Lora, StateIsWeightsOfAllAndTheRestOfAdaptersAlone) {
  TrainingSpec training = Adapted({LoraTarget::kQkv});
  const ModelSpec model = Llama();
  const StageGraph stage =
      BuildStage(model, training, ChunksOf(model, training.split)[0]);
  const int64_t adapters = 2 * 8 * (4096 + 12288);
  const auto held = [&](Holder holder) {
    return stage.resident[static_cast<size_t>(holder)].count();
  };
  EXPECT_EQ(held(Holder::kWeights), 2 * stage.parameters.total());
  EXPECT_EQ(held(Holder::kGradients), 4 * adapters);
  EXPECT_EQ(held(Holder::kOptimizerState), 12 * adapters);
  // FSDP over four ranks keeps a quarter of the frozen weights in 16 bits, and
  // of adapters only the FP32 shard.
  training.global_batch = 4;
  training.split = {.data = 4, .zero = 3};
  const StageGraph sharded =
      BuildStage(model, training, ChunksOf(model, training.split)[0]);
  EXPECT_EQ(sharded.resident[static_cast<size_t>(Holder::kWeights)].count(),
            2 * (stage.parameters.total() - adapters) / 4);
  EXPECT_EQ(
      sharded.resident[static_cast<size_t>(Holder::kOptimizerState)].count(),
      12 * adapters / 4);
}

TEST(Lora, OnlyAdaptersAreReduced) {
  TrainingSpec training = Adapted({LoraTarget::kQkv});
  training.global_batch = 4;
  for (const int zero : {0, 1, 2, 3}) {
    training.split = {.data = 4, .zero = zero};
    int64_t reduced = 0;
    for (const Op& op : GraphOf(training).ops) {
      if (op.name == "reduce gradients") {
        reduced += op.collective()->bytes.count();
      }
    }
    EXPECT_EQ(reduced, 4 * 2 * 8 * (4096 + 12288)) << zero;
  }
}

TEST(Qlora, WeightsOfLinearLayersTake4Point127Bits) {
  // Dettmers et al. 2023, section 3: scales take 0.5 bits, 0.127 when they are
  // quantised: 8 / 64 + 32 / (64 x 256).
  EXPECT_DOUBLE_EQ(Nf4BytesPerWeight(false) * 8, 4.5);
  EXPECT_NEAR(Nf4BytesPerWeight(true) * 8, 4.127, 5e-4);
  TrainingSpec training = Adapted({LoraTarget::kQkv});
  training.lora.nf4 = true;
  training.lora.double_quant = false;
  const ModelSpec model = Llama();
  const StageGraph stage =
      BuildStage(model, training, ChunksOf(model, training.split)[0]);
  const int64_t linear = 2 * 202'375'168;
  EXPECT_EQ(stage.resident[static_cast<size_t>(Holder::kWeights)].count(),
            2 * (stage.parameters.total() - linear) + linear * 9 / 16);
}

TEST(Qlora, EachProductOfALayerMakesItsWeightsAnewInEitherPass) {
  TrainingSpec training = Adapted({LoraTarget::kQkv});
  training.lora.nf4 = true;
  const OpGraph graph = GraphOf(training);
  EXPECT_EQ(Count(graph, "dequantise weights", Phase::kForward), 2 * 4);
  // Backward the first layer's QKV has no input gradient.
  EXPECT_EQ(Count(graph, "dequantise weights"), 2 * 4 - 1);
}

}  // namespace
}  // namespace models
