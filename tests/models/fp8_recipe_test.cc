// FP8 by recipe: the kernels around the products, what is kept and what travels.
#include "models/fp8_recipe.h"

#include <gtest/gtest.h>

#include "models/activation_memory.h"
#include "models/fp8_weights.h"
#include "models/load_model.h"
#include "models/training_graph.h"

namespace models {
namespace {

// Two layers of Llama-3-8B.
ModelSpec Llama() {
  ModelSpec model = *LoadModel("llama3-8b");
  model.layers = 2;
  return model;
}

TrainingSpec Fp8(Fp8Scaling scaling,
                 Fp8Library library = Fp8Library::kTransformerEngine) {
  TrainingSpec training;
  training.sequence_length = 4096;
  training.precision = Precision::kFp8;
  training.kernels.attention = AttentionFamily::kCudnn;
  training.fp8.scaling = scaling;
  training.fp8.library = library;
  return training;
}

OpGraph GraphOf(const TrainingSpec& training) {
  const ModelSpec model = Llama();
  return BuildChunk(model, training, ChunksOf(model, training.split)[0][0]);
}

// HBM bytes of the kernels of a layer with this name.
int64_t BytesOf(const OpGraph& graph, absl::string_view name, Phase phase) {
  int64_t bytes = 0;
  for (const Op& op : graph.ops) {
    if (op.layer != 0 || op.name != name || op.phase != phase) continue;
    const Work work = WorkOf(*op.kernel());
    bytes += (work.read + work.written).count();
  }
  return bytes;
}

int64_t Gathered(const OpGraph& graph) {
  int64_t bytes = 0;
  for (const Op& op : graph.ops) {
    if (op.layer == 0 && op.name == "tp all-gather") {
      bytes += op.collective()->bytes.count();
    }
  }
  return bytes;
}

constexpr int64_t kTokens = 4096, kHidden = 4096, kFfn = 14336,
                  kQkv = 4096 + 2 * 1024;

TEST(Fp8Recipe, CurrentScalingReadsEveryInputTwiceAndWritesBothLayouts) {
  const OpGraph graph = GraphOf(Fp8(Fp8Scaling::kCurrent));
  // Inputs: of qkv, out and up 4096 wide, of down 14,336.
  const int64_t inputs = kTokens * (3 * kHidden + kFfn);
  EXPECT_EQ(BytesOf(graph, "amax", Phase::kForward), 2 * inputs);
  EXPECT_EQ(BytesOf(graph, "quantise input", Phase::kForward), 4 * inputs);
  // Gradients: of qkv, out, up and gate, and down.
  const int64_t gradients = kTokens * (kQkv + 2 * kHidden + 2 * kFfn);
  EXPECT_EQ(BytesOf(graph, "amax", Phase::kBackward), 2 * gradients);
  EXPECT_EQ(BytesOf(graph, "quantise gradient", Phase::kBackward),
            4 * gradients);
}

TEST(Fp8Recipe, DelayedScalingCastsInNorms) {
  const OpGraph graph = GraphOf(Fp8(Fp8Scaling::kDelayed));
  EXPECT_EQ(BytesOf(graph, "amax", Phase::kForward), 0);
  // Inputs of out and down; those of qkv and up come from norms, which write a
  // byte instead of two, and are transposed for the weight gradients.
  EXPECT_EQ(BytesOf(graph, "quantise input", Phase::kForward),
            4 * kTokens * (kHidden + kFfn));
  EXPECT_EQ(BytesOf(graph, "attention norm", Phase::kForward),
            3 * kTokens * kHidden);
  EXPECT_EQ(BytesOf(graph, "transpose", Phase::kBackward),
            2 * 2 * kTokens * kHidden);
}

TEST(Fp8Recipe, BlocksHaveAnFp32ScaleForEach128) {
  const OpGraph graph = GraphOf(Fp8(Fp8Scaling::kBlock));
  const int64_t inputs = kTokens * (3 * kHidden + kFfn);
  EXPECT_EQ(BytesOf(graph, "amax", Phase::kForward), 0);
  EXPECT_EQ(BytesOf(graph, "quantise input", Phase::kForward),
            4 * inputs + 2 * 4 * inputs / 128);
  for (const Op& op : graph.ops) {
    const auto* gemm =
        op.kernel() != nullptr ? std::get_if<Gemm>(op.kernel()) : nullptr;
    if (gemm == nullptr || gemm->dtype != DType::kFp8) continue;
    EXPECT_EQ(gemm->family, GemmFamily::kDeepGemm) << op.name;
  }
}

TEST(Fp8Recipe, RowwiseCastsOnceForEachLayoutAndKeeps16Bits) {
  const OpGraph graph =
      GraphOf(Fp8(Fp8Scaling::kRow, Fp8Library::kTorchAo));
  const int64_t inputs = kTokens * (3 * kHidden + kFfn);
  EXPECT_EQ(BytesOf(graph, "quantise input", Phase::kForward), 3 * inputs);
  EXPECT_EQ(BytesOf(graph, "quantise input", Phase::kBackward), 3 * inputs);
}

TEST(Fp8Recipe, TransformerEngineKeepsInputsInFp8) {
  const int64_t casts =
      KeptBytes(GraphOf(Fp8(Fp8Scaling::kCasts)), 1).count();
  const int64_t current =
      KeptBytes(GraphOf(Fp8(Fp8Scaling::kCurrent)), 1).count();
  // A byte instead of two of both norms' outputs and of the activation's; one
  // more of the context, which attention keeps in 16 bits.
  EXPECT_EQ(casts - current,
            kTokens * (2 * kHidden + kFfn) - kTokens * kHidden);
}

TEST(Fp8Recipe, GathersHalfTheBytesUnderSequenceParallelism) {
  TrainingSpec training = Fp8(Fp8Scaling::kCasts);
  training.split.tensor = 8;
  training.split.sequence = true;
  const int64_t in_16_bits = Gathered(GraphOf(training));
  training.fp8.scaling = Fp8Scaling::kCurrent;
  EXPECT_EQ(Gathered(GraphOf(training)), in_16_bits / 2);
  training.fp8.scaling = Fp8Scaling::kRow;
  training.fp8.library = Fp8Library::kTorchAo;
  EXPECT_EQ(Gathered(GraphOf(training)), in_16_bits);
}

TEST(Fp8Recipe, RanksThatHoldPartsShareTheLargestValue) {
  TrainingSpec training = Fp8(Fp8Scaling::kCurrent);
  training.split.tensor = 8;
  training.split.sequence = true;
  int64_t forward = 0, backward = 0;
  for (const Op& op : GraphOf(training).ops) {
    if (op.layer != 0 || op.name != "amax all-reduce") continue;
    EXPECT_EQ(op.collective()->bytes, sim::Bytes(4));
    ++(op.phase == Phase::kForward ? forward : backward);
  }
  EXPECT_EQ(forward, 2);   // inputs of qkv and up
  EXPECT_EQ(backward, 2);  // gradients of down and out
}

TEST(Fp8Recipe, DelayedScalingSharesThemOnceAPass) {
  TrainingSpec training = Fp8(Fp8Scaling::kDelayed);
  training.split.data = 8;
  training.global_batch = 8;
  std::vector<int64_t> bytes;
  for (const Op& op : GraphOf(training).ops) {
    if (op.name == "amax all-reduce") {
      EXPECT_EQ(op.collective()->axis, Axis::kStage);
      bytes.push_back(op.collective()->bytes.count());
    }
  }
  // 2 layers of 4 products: inputs, weights and outputs; two gradients.
  EXPECT_EQ(bytes, (std::vector<int64_t>{2 * 4 * 3 * 4, 2 * 4 * 2 * 4}));
  training.fp8.reduce_amax = false;
  for (const Op& op : GraphOf(training).ops) {
    EXPECT_NE(op.name, "amax all-reduce");
  }
}

TEST(Fp8Recipe, LayersAtTheEndsStayInBf16) {
  TrainingSpec training = Fp8(Fp8Scaling::kCurrent);
  training.fp8.last_bf16_layers = 1;
  for (const Op& op : GraphOf(training).ops) {
    const auto* gemm =
        op.kernel() != nullptr ? std::get_if<Gemm>(op.kernel()) : nullptr;
    if (gemm == nullptr || op.layer < 0) continue;
    EXPECT_EQ(gemm->dtype, op.layer == 0 ? DType::kFp8 : DType::kBf16);
  }
}

TEST(Fp8Weights, AreCastOnceAStepOrAtEachUse) {
  TrainingSpec training = Fp8(Fp8Scaling::kCurrent);
  const auto te = WeightCastOf(training, false);
  ASSERT_TRUE(te.has_value());
  EXPECT_EQ(te->read, 2 + 2);
  EXPECT_EQ(te->written, 2);
  EXPECT_EQ(te->when, When::kFirstMicrobatch);
  EXPECT_FALSE(WeightCastOf(training, true).has_value());
  training.fp8.keep_transposes = false;
  EXPECT_EQ(WeightCastOf(training, false)->written, 1);
  EXPECT_EQ(WeightCastOf(training, true)->when, When::kAlways);
  training.fp8.library = Fp8Library::kTorchAo;
  for (const bool backward : {false, true}) {
    EXPECT_EQ(WeightCastOf(training, backward)->read, 4);
    EXPECT_EQ(WeightCastOf(training, backward)->when, When::kAlways);
  }
}

TEST(Fp8Weights, TakeAByteForEachLayoutAndTheirMastersFour) {
  const ModelSpec model = Llama();
  TrainingSpec training = Fp8(Fp8Scaling::kCurrent);
  const std::vector<Chunk> whole = ChunksOf(model, {})[0];
  // Matrices of two layers.
  const int64_t elements = 2 * 218'103'808;
  EXPECT_EQ(Fp8WeightBytes(model, training, whole), sim::Bytes(2 * elements));
  training.fp8_param_gather = true;  // in place of two bytes
  EXPECT_EQ(Fp8WeightBytes(model, training, whole), sim::Bytes(0));
  training.fp8.keep_transposes = false;
  EXPECT_EQ(Fp8WeightBytes(model, training, whole), sim::Bytes(-elements));
}

}  // namespace
}  // namespace models
