// The arithmetic that lecture notes and blog posts on resource accounting teach
// by hand. Where popular notes slip, the right figure stands here and the slip
// is named.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "models/activation_memory.h"
#include "models/data_parallel.h"
#include "models/kv_cache.h"
#include "models/load_model.h"
#include "models/model_spec.h"
#include "models/op.h"
#include "models/op_graph.h"
#include "models/operator_totals.h"
#include "models/parameters.h"
#include "models/pointwise_work.h"
#include "models/rank_shape.h"
#include "models/rules_of_thumb.h"
#include "models/training.h"
#include "models/training_graph.h"
#include "models/training_state.h"
#include "sim/units.h"

namespace models {
namespace {

using sim::TeraFlopsPerSecond;

double Flops(const Kernel& kernel) { return WorkOf(kernel).flops.count(); }

TrainingSpec Plain(int64_t micro_batch, int64_t sequence) {
  TrainingSpec training;
  training.micro_batch = training.global_batch = micro_batch;
  training.sequence_length = sequence;
  training.pad_vocab_to = 1;
  return training;
}

OpGraph WholeModel(const ModelSpec& model, const TrainingSpec& training) {
  return BuildChunk(model, training, ChunksOf(model, training.split)[0][0]);
}

double Sum(const OpGraph& graph, Phase phase) {
  return SumOf(TotalsOf(graph), phase).flops.count();
}

ModelSpec Stack(int64_t layers, int64_t width, int64_t outputs) {
  ModelSpec stack;
  stack.linear_stack = true;
  stack.layers = layers;
  stack.hidden = width;
  stack.linear_outputs = outputs;
  return stack;
}

// ---- FLOPs ------------------------------------------------------------------

TEST(Flops, OfAMatrixProductAreTwoForEachMultiplyAdd) {
  // A(2,3) x B(3,2): 2 · 2 · 3 · 2.
  EXPECT_EQ(Flops(Gemm{.m = 2, .n = 2, .k = 3}), 24);
  // One by one: 3 products and 2 sums for each of 4 elements.
  EXPECT_EQ(ProductFlopsByHand(2, 2, 3).count(), 20);
}

TEST(Flops, OfALargeProductAreTeraNotPeta) {
  // 2 · 16384 · 32768 · 8192 = 2^43 = 8.796e12; often misprinted 8.8e15.
  EXPECT_EQ(Flops(Gemm{.m = 16384, .n = 8192, .k = 32768}), 8'796'093'022'208);
}

TEST(Flops, OfTrainingALinearLayerAreSixForEachParameterAndToken) {
  // Two layers of 64 x 64, 32 tokens. Forward 2 · B · in · out each.
  const OpGraph graph = WholeModel(Stack(2, 64, 0), Plain(1, 32));
  EXPECT_EQ(Sum(graph, Phase::kForward), 2 * 2 * 32 * 64 * 64);
  // Backward 4 · B · in · out each, but the first layer needs no gradient of
  // its input: 2 · B · in · out less.
  EXPECT_EQ(Sum(graph, Phase::kBackward),
            2 * 4 * 32 * 64 * 64 - 2 * 32 * 64 * 64);
  // 6 · B · P with P = 2 · 64 · 64.
  EXPECT_EQ(TrainingFlops(2 * 64 * 64, 32).count(),
            Sum(graph, Phase::kForward) + Sum(graph, Phase::kBackward) +
                2 * 32 * 64 * 64);
}

TEST(Flops, OfSoftmaxAreThreeForEachScoreAndTwoMoreForMaximumAndMask) {
  // b = 2, h = 4, s = 128: 131,072 scores.
  EXPECT_EQ(SoftmaxFlops(2, 4, 128).count(), 3 * 131'072);
  EXPECT_EQ(PointwiseWork(PointwiseOp::kSoftmaxForward, true, 131'072, 16)
                .flops.count(),
            (3 + 1 + 1) * 131'072);
}

TEST(Flops, OfAttentionAreFourForEachPairAndElementOfAHead) {
  // 4 · b · s² · heads · d_head, b = 2, s = 1024, 16 heads of 64.
  Attention attention{.batch = 2,
                      .heads = 16,
                      .kv_heads = 16,
                      .queries = 1024,
                      .keys = 1024,
                      .head_dim = 64,
                      .value_head_dim = 64,
                      .causal = false};
  EXPECT_EQ(Flops(attention), 4.0 * 2 * 1024 * 1024 * 16 * 64);
  // A causal kernel skips the masked half: s · (s + 1) / 2 pairs are left.
  attention.causal = true;
  EXPECT_EQ(Flops(attention), 4.0 * 2 * (1024 * 1025 / 2) * 16 * 64);
}

TEST(Flops, OfGpt3AreThreeTimesTenToTheTwentyThree) {
  // 12 · 96 · 12288² = 173.9e9 of 174.6e9 parameters are in blocks.
  EXPECT_EQ(BlockParameters(96, 12288), 173'946'175'488);
  const ModelSpec gpt3 = *LoadModel("gpt3-175b");
  const auto parameters = static_cast<double>(CountParameters(gpt3).total);
  EXPECT_NEAR(parameters, 174.6e9, 0.05e9);
  // 6 · 174.6e9 · 300e9 = 3.14e23, as Brown et al. print; with the rounded
  // 175e9 3.15e23.
  EXPECT_NEAR(TrainingFlops(parameters, 300e9).count(), 3.14e23, 0.005e23);
  EXPECT_NEAR(TrainingFlops(175e9, 300e9).count(), 3.15e23, 0.005e23);
  // Every product, attention whole: 72·B·s·L·h²·(1 + s/6h + V/12hL), 2048
  // tokens a sequence. 1.9e21 of positions and biases multiply nothing;
  // attention adds s / 6h = 2.8 %.
  const double exact =
      SumOf(ProductsOf(gpt3, 1, 2048, false)).forward.count() * 3;
  EXPECT_NEAR(exact, MegatronStepFlops(gpt3, 1, 2048).count(), 1e-12 * exact);
  EXPECT_NEAR(exact * 300e9 / 2048, 3.23e23, 0.005e23);
}

TEST(Flops, OfGpt2SmallPerTokenArePerOperatorAndNotSixMillion) {
  // Forward, a token of a sequence of 1024: "6 M" in circulation is one layer
  // without the attention projections.
  const ModelSpec gpt2 = *LoadModel("gpt2");
  TrainingSpec training = Plain(1, 1024);
  training.kernels.fused_attention = false;
  const std::vector<OperatorTotal> totals =
      TotalsOf(WholeModel(gpt2, training));
  double blocks = 0, scores = 0, logits = 0;
  for (const OperatorTotal& t : totals) {
    if (t.phase != Phase::kForward) continue;
    const double per_token = t.matrix_flops.count() / 1024;
    if (t.name == "logits") {
      logits += per_token;
    } else if (t.name == "attention scores" || t.name == "attention values") {
      scores += per_token;
    } else {
      blocks += per_token;
    }
  }
  // 12 · 12 · 768² = 84,934,656 matrix parameters in blocks, twice.
  EXPECT_EQ(blocks, 2 * 84'934'656);
  // 12 layers, 4 · 1024 keys · 768, not halved.
  EXPECT_EQ(scores, 12 * 4 * 1024 * 768);
  EXPECT_EQ(logits, 2 * 50257 * 768);
  // 12 · 4 · 768² ≈ 28 M are attention's projections, which "6 M", 2 · 4 · 768²
  // + …, leaves out; the sum is 284.8 MFLOPs a token.
  EXPECT_EQ(blocks + scores + logits, 284'812'800);
}

TEST(Flops, OfAPrefillOfLlama2With70BArePerOperator) {
  // 8 sequences of 512. Rule: 2 · 70e9 · 4096 = 573e12; 145 ms on 8 H100 at
  // half of 990 TFLOP/s.
  const double rule = ForwardFlops(70e9, 8 * 512).count();
  EXPECT_NEAR(rule, 573.4e12, 0.05e12);
  EXPECT_NEAR(
      TrainingSeconds(sim::Flops(rule), 8, TeraFlopsPerSecond(990), 0.5),
      144.8e-3, 0.05e-3);
  // Exact: 2 · 4096 · (855,638,016 · 80 + 262,144,000) in matrices, and
  // attention 4 · 8192 · 80 layers · 8 · 512 · 513 / 2 pairs.
  const ModelSpec llama = *LoadModel("llama2-70b");
  const double exact = SumOf(ProductsOf(llama, 8, 512, true)).forward.count();
  EXPECT_EQ(exact, 2.0 * 4096 * (855'638'016.0 * 80 + 262'144'000) +
                       4.0 * 8192 * 80 * (8 * 512 * 513 / 2));
  EXPECT_NEAR(exact, 565.7e12, 0.05e12);
}

TEST(TrainingTime, Of70BParametersOn15TrillionTokensIs144Days) {
  // 6 · 70e9 · 15e12 = 6.3e24; 1024 H100 of 990 TFLOP/s at MFU 0.5.
  const sim::Flops flops = TrainingFlops(70e9, 15e12);
  EXPECT_DOUBLE_EQ(flops.count(), 6.3e24);
  // 6.3e24 / (1024 · 990e12 · 0.5) = 12.43e6 s.
  EXPECT_NEAR(
      TrainingSeconds(flops, 1024, TeraFlopsPerSecond(990), 0.5) / 86400, 143.9,
      0.05);
}

TEST(TrainingTime, Of70BParametersOnATrillionTokensIs16Days) {
  const sim::Flops flops = TrainingFlops(70e9, 1e12);
  EXPECT_DOUBLE_EQ(flops.count(), 4.2e23);
  // 4.2e23 / (1000 · 990e12 · 0.3) = 1.414e6 s.
  EXPECT_NEAR(
      TrainingSeconds(flops, 1000, TeraFlopsPerSecond(990), 0.3) / 86400, 16.4,
      0.05);
}

// ---- Memory -----------------------------------------------------------------

int64_t BytesOfState(const std::string& name) {
  for (const TrainingState& state : TrainingStates()) {
    if (state.name == name) return state.bytes();
  }
  return -1;
}

TEST(Memory, OfSevenBillionParametersUnderAdamByStrategy) {
  // GB = bytes per parameter · 7. FP32: weights 28, gradients 28, moments 56.
  EXPECT_EQ(BytesOfState("FP32") * 7, 112);
  // Master 28, working copy 14, gradients 14, moments 56.
  EXPECT_EQ(BytesOfState("16-bit, 16-bit gradients") * 7, 112);
  // FP32 gradients: 14 more.
  EXPECT_EQ(BytesOfState("16-bit, FP32 gradients") * 7, 126);
  // Master 28, weights 7, gradients 7, moments 56.
  EXPECT_EQ(BytesOfState("FP8 weights and gradients") * 7, 98);
  // Without a master copy, moments in 16 bits: 14 + 14 + 28.
  EXPECT_EQ(BytesOfState("16-bit throughout") * 7, 56);
}

TEST(Memory, OfTheStrategiesIsThatOfTheTrainingSettings) {
  TrainingSpec training;
  const auto bytes = [&] {
    const StateBytes s = StateBytesOf(training);
    return s.weights + s.master + s.gradients + s.optimizer;
  };
  EXPECT_EQ(bytes(), BytesOfState("16-bit, FP32 gradients"));
  training.optimizer = Optimizer::kAdam8bit;
  EXPECT_EQ(bytes(), BytesOfState("16-bit, FP32 gradients, 8-bit Adam"));
  training.fp32_gradients = false;
  EXPECT_EQ(bytes(), BytesOfState("16-bit, 16-bit gradients, 8-bit Adam"));
  training.optimizer = Optimizer::kAdam;
  EXPECT_EQ(bytes(), BytesOfState("16-bit, 16-bit gradients"));
  training.precision = Precision::kFp32;
  EXPECT_EQ(bytes(), BytesOfState("FP32"));
}

TEST(Memory, OfEightGpusHoldsFortyBillionParameters) {
  // 8 · 80e9 / 16.
  EXPECT_EQ(LargestModel(8, sim::Bytes(80'000'000'000), 16), 40e9);
}

TEST(Memory, OfOptimizersIsZeroToTwoWordsPerParameter) {
  EXPECT_EQ(OptimizerBytes(Optimizer::kSgd), 0);
  EXPECT_EQ(OptimizerBytes(Optimizer::kMomentum), 4);
  EXPECT_EQ(OptimizerBytes(Optimizer::kAdaGrad), 4);
  EXPECT_EQ(OptimizerBytes(Optimizer::kRmsProp), 4);
  EXPECT_EQ(OptimizerBytes(Optimizer::kAdam), 8);
  EXPECT_EQ(OptimizerBytes(Optimizer::kAdamW), 8);
  EXPECT_EQ(OptimizerBytes(Optimizer::kLamb), 8);
  EXPECT_EQ(OptimizerBytes(Optimizer::kAdam8bit), 2);
}

TEST(Memory, OfADeepLinearNetworkUnderAdaGradIs496Bytes) {
  // D = 4, L = 2, B = 2, FP32; often misprinted 512 B.
  const ModelSpec network = *LoadModel("deep-linear");
  TrainingSpec training = Plain(2, 1);
  training.precision = Precision::kFp32;
  training.optimizer = Optimizer::kAdaGrad;
  // D²·L + D = 36.
  const int64_t parameters = CountParameters(network).total;
  EXPECT_EQ(parameters, 36);
  // B·D·L = 16 elements kept, 4 bytes each.
  const OpGraph graph = WholeModel(network, training);
  EXPECT_EQ(KeptBytes(graph).count(), 16 * 4);
  // Parameters 36, gradients 36, state 36, activations 16: 4 · 124.
  const StateBytes state = StateBytesOf(training);
  EXPECT_EQ(parameters * (state.weights + state.master + state.gradients +
                          state.optimizer) +
                KeptBytes(graph).count(),
            496);
  // 6·B·P = 432 FLOPs; the first layer's input needs no gradient: 2·B·D² = 64
  // fewer.
  EXPECT_EQ(TrainingFlops(36, 2).count(), 432);
  EXPECT_EQ(Sum(graph, Phase::kForward) + Sum(graph, Phase::kBackward),
            432 - 64);
}

TEST(Memory, OfActivationsIsThirtyFourBytesNotElements) {
  // Llama-70B-like: s = 2048, b = 1, h = 8192, 80 layers:
  // 34 · 2048 · 8192 · 80 = 45.6 GB, not 91; and the scores,
  // 5 · 64 · 2048² · 80 = 107.4 GB.
  ActivationFormula formula{.sequence = 2048, .hidden = 8192, .heads = 64};
  formula.recompute = Recompute::kSelective;
  EXPECT_EQ(BytesPerLayer(formula).count() * 80, 45'634'027'520);
  formula.recompute = Recompute::kNone;
  EXPECT_EQ(BytesPerLayer(formula).count() * 80,
            45'634'027'520 + 107'374'182'400);
}

TEST(Memory, OfTheKvCacheOfLlama2With70BIsTenGigabytesNotAHundred) {
  const ModelSpec llama = *LoadModel("llama2-70b");
  // 2 · 80 · 8 · 128 · 2 bytes.
  EXPECT_EQ(KvBytesPerToken(llama, DType::kFp16).count(), 327'680);
  // 8 sequences of 4096: 10.74 GB; popular notes say 104.
  EXPECT_EQ(KvBytes(llama, DType::kFp16, 8, 4096).count(), 10'737'418'240);
  // With 64 KV heads, as in multi-head attention: 85.9 GB.
  ModelSpec mha = llama;
  mha.kv_heads = mha.heads;
  EXPECT_EQ(KvBytes(mha, DType::kFp16, 8, 4096).count(), 85'899'345'920);
}

TEST(Memory, OfTheKvCacheUnderLatentAttentionIsOneVectorForAllHeads) {
  // DeepSeek-V3: 61 layers of (512 + 64) elements, 2 bytes.
  EXPECT_EQ(KvBytesPerToken(*LoadModel("deepseek-v3"), DType::kBf16).count(),
            61 * 576 * 2);
}

TEST(Memory, CheckpointingTradesActivationsForAThirdMoreWork) {
  // GPT-2, 1024 tokens: what is kept, and the matrix FLOPs of the layers.
  const ModelSpec gpt2 = *LoadModel("gpt2");
  TrainingSpec training = Plain(1, 1024);
  const OpGraph kept = WholeModel(gpt2, training);
  training.recompute = Recompute::kFull;
  const OpGraph again = WholeModel(gpt2, training);
  const std::vector<OperatorTotal> totals = TotalsOf(again);
  const double forward =
      SumOf(totals, Phase::kForward).matrix_flops.count() -
      2 * 1024.0 * 50257 * 768;  // the logits are not run again
  const double recomputed =
      SumOf(totals, Phase::kBackward, true).matrix_flops.count();
  EXPECT_EQ(recomputed, forward);  // a third of forward + backward
  // Between -50 and -80 % is said; without materialised scores a layer keeps
  // its input, 2·s·b·h, of 32·s·b·h and the log-sum-exp.
  EXPECT_EQ(KeptBytes(again, 5).count(), 2 * 1024 * 768);
  EXPECT_EQ(KeptBytes(kept, 5).count(), 32 * 1024 * 768 + 4 * 12 * 1024);
}

TEST(Memory, UnderZeroIsDividedStageByStage) {
  // 16-bit weights 2, FP32 gradients 4, master and moments 12, over 8 ranks.
  const TrainingState& state = TrainingStates()[2];
  EXPECT_EQ(ZeroBytes(state, 0, 8), 2 + 4 + 12);
  EXPECT_EQ(ZeroBytes(state, 1, 8), 2 + 4 + 12.0 / 8);
  EXPECT_EQ(ZeroBytes(state, 2, 8), 2 + 4.0 / 8 + 12.0 / 8);
  EXPECT_EQ(ZeroBytes(state, 3, 8), 18.0 / 8);
}

TEST(Memory, OnARankIsWhatZeroLeavesOfIt) {
  // 7e9 parameters, 8 ranks: weights, gradients, master and moments in GB.
  TrainingSpec training;
  training.split.data = 8;
  const auto gigabytes = [&](int zero) {
    training.split.zero = zero;
    std::array<double, 3> result{};
    const Holder holders[] = {Holder::kWeights, Holder::kGradients,
                              Holder::kOptimizerState};
    for (size_t i = 0; i < result.size(); ++i) {
      const sim::Bytes bytes =
          ResidentBytes(training, {.dense = 7'000'000'000}, holders[i]);
      result[i] = static_cast<double>(bytes.count()) / 1e9;
    }
    return result;
  };
  EXPECT_EQ(gigabytes(0), (std::array{14.0, 28.0, 84.0}));
  EXPECT_EQ(gigabytes(1), (std::array{14.0, 28.0, 84.0 / 8}));
  EXPECT_EQ(gigabytes(2), (std::array{14.0, 28.0 / 8, 84.0 / 8}));
  // FSDP's shard is the FP32 master; 16-bit weights exist while gathered.
  EXPECT_EQ(gigabytes(3), (std::array{0.0, 28.0 / 8, 84.0 / 8}));
}

// ---- Communication and latency ----------------------------------------------

// Tensor-parallel all-reduces of the forward pass of the layers, bytes of each.
std::vector<int64_t> LayerAllReduces(const OpGraph& graph) {
  std::vector<int64_t> bytes;
  for (const Op& op : graph.ops) {
    const Collective* collective = op.collective();
    if (op.phase == Phase::kForward && op.layer >= 0 && collective != nullptr &&
        collective->kind == CollectiveKind::kAllReduce) {
      bytes.push_back(collective->bytes.count());
    }
  }
  return bytes;
}

TEST(Communication, OfARingAllReduceIsTwiceTheShareOfTheOthers) {
  EXPECT_EQ(RingAllReduceShare(8), 2 * 7.0 / 8);
  EXPECT_EQ(RingAllReduceShare(1), 0);
}

TEST(Communication, OfTensorParallelPrefillIs42MillisecondsNotTwo) {
  // Llama-2-70B, TP 8, 8 sequences of 512: 8 · 512 · 8192 · 2 = 67.1 MB, twice
  // in each of 80 layers.
  TrainingSpec training = Plain(8, 512);
  training.split.tensor = 8;
  const std::vector<int64_t> all =
      LayerAllReduces(WholeModel(*LoadModel("llama2-70b"), training));
  EXPECT_EQ(all, std::vector<int64_t>(160, 67'108'864));
  // 67.1 MB · 2 · 7/8 = 117.4 MB a rank; 160 of them 18.8 GB, not 1.8 TB.
  const double traffic = 160 * 67'108'864.0 * RingAllReduceShare(8);
  EXPECT_NEAR(traffic, 18.79e9, 0.005e9);
  EXPECT_NEAR(traffic / 450e9, 42e-3, 0.5e-3);
}

TEST(Communication, OfFourRanksAnd2048TokensIsNineMilliseconds) {
  // 40 layers of width 8192: 2048 · 8192 · 2 = 33.6 MB · 1.5 = 50.3 MB, 80
  // times: 4.03 GB, 8.9 ms at 450 GB/s.
  ModelSpec model = *LoadModel("llama2-70b");
  model.layers = 40;
  TrainingSpec training = Plain(1, 2048);
  training.split.tensor = 4;
  const std::vector<int64_t> all = LayerAllReduces(WholeModel(model, training));
  EXPECT_EQ(all, std::vector<int64_t>(80, 33'554'432));
  const double traffic = 80 * 33'554'432.0 * RingAllReduceShare(4);
  EXPECT_NEAR(traffic, 4.03e9, 0.005e9);
  EXPECT_NEAR(traffic / 450e9, 8.9e-3, 0.06e-3);
}

TEST(Communication, OfAPipelineBoundaryIsATenthOfThat) {
  // 2048 tokens · 8192 · 2 = 33.6 MB; 0.34 ms at 100 GB/s.
  TrainingSpec training = Plain(1, 2048);
  training.split.pipeline = 2;
  const ModelSpec model = *LoadModel("llama2-70b");
  const OpGraph first =
      BuildChunk(model, training, ChunksOf(model, training.split)[0][0]);
  int64_t bytes = 0;
  for (const Op& op : first.ops) {
    const Collective* c = op.collective();
    if (c != nullptr && c->axis == Axis::kForwardOut) bytes += c->bytes.count();
  }
  EXPECT_EQ(bytes, 33'554'432);
  EXPECT_NEAR(static_cast<double>(bytes) / 100e9, 0.34e-3, 0.005e-3);
}

TEST(Latency, OfADecodeStepIsFiveMillisecondsOfWeights) {
  // Llama-2-70B in 16 bits over 8 H100: 137.95 GB / 8 = 17.2 GB a GPU at
  // 3.35 TB/s = 5.1 ms.
  const ModelSpec llama = *LoadModel("llama2-70b");
  const double bytes = 2 * static_cast<double>(CountParameters(llama).total);
  EXPECT_NEAR(bytes, 137.95e9, 0.005e9);
  EXPECT_NEAR(bytes / 8 / 3.35e12, 5.1e-3, 0.05e-3);
}

TEST(Latency, OfABatchOnTheNapkinIsPrefillAndAStepForEachToken) {
  // Batch 8, 512 in, 256 out: 144.8 ms + 256 · 5.5 ms = 1.55 s; 2048 tokens.
  const double prefill = TrainingSeconds(ForwardFlops(70e9, 8 * 512), 8,
                                         TeraFlopsPerSecond(990), 0.5);
  const double seconds = prefill + 256 * 5.5e-3;
  EXPECT_NEAR(seconds, 1.55, 0.005);
  EXPECT_NEAR(8 * 256 / seconds, 1320, 5);
}

TEST(Latency, OfDecodeIsBoundByMemoryAndOfPrefillByCompute) {
  // The ridge of an H100: 990e12 / 3.35e12 = 295 FLOPs a byte.
  EXPECT_NEAR(RidgePoint(TeraFlopsPerSecond(990), sim::GBps(3350)), 295.5, 0.1);
  // Decoding one sequence: 2 FLOPs for each 2-byte weight, about 1.
  const ModelSpec llama = *LoadModel("llama2-70b");
  EXPECT_NEAR(DecodeWorkOf(llama, 1, 1, DType::kBf16).intensity(), 1, 0.01);
  EXPECT_NEAR(DecodeWorkOf(llama, 64, 1, DType::kBf16).intensity(), 64, 0.7);
  // Prefill of s tokens: a weight is read once for s tokens, about s.
  const double flops = SumOf(ProductsOf(llama, 1, 512, true)).forward.count();
  const double bytes = 2 * static_cast<double>(CountParameters(llama).total);
  EXPECT_NEAR(flops / bytes, 512, 0.01 * 512);
}

// ---- Rules beside simulation ------------------------------------------------

TEST(Rules, SpeculativeDecodingGivesAGeometricSumOfTokens) {
  // α = 0.8, γ = 4: 1 + 0.8 + 0.64 + 0.512 + 0.4096.
  EXPECT_NEAR(TokensPerVerification(0.8, 4), 3.3616, 1e-12);
  EXPECT_EQ(TokensPerVerification(1, 4), 5);
  EXPECT_EQ(TokensPerVerification(0, 4), 1);
  // A draft that costs a tenth: 3.3616 / 1.4.
  EXPECT_NEAR(SpeculativeSpeedup(0.8, 4, 0.1), 2.4011, 1e-4);
}

TEST(Rules, ContinuousBatchingWinsBackThePaddingOfTheLongest) {
  // 100, 200, 300 and 1000 tokens padded to 4 · 1000: 2400 of 4000.
  EXPECT_EQ(PaddedShare(std::array<int64_t, 4>{100, 200, 300, 1000}), 0.6);
}

TEST(Rules, APagedCacheWastesLessThanABlockASequence) {
  // Blocks of 16: 17 leaves 15, 32 none, 1 leaves 15.
  EXPECT_EQ(UnusedBlockTokens(std::array<int64_t, 3>{17, 32, 1}, 16), 30);
}

}  // namespace
}  // namespace models
