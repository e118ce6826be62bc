#include "models/training_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "models/data_parallel.h"
#include "tests/models/small_models.h"

namespace models {
namespace {

double FlopsWhere(const OpGraph& graph, Phase phase, bool attention) {
  double flops = 0;
  for (const Op& op : graph.ops) {
    if (op.kernel() == nullptr || op.phase != phase) continue;
    if (std::holds_alternative<MemoryBound>(*op.kernel())) continue;
    if (std::holds_alternative<Attention>(*op.kernel()) == attention) {
      flops += WorkOf(*op.kernel()).flops.count();
    }
  }
  return flops;
}

TEST(TrainingGraph, MatrixFlopsAreTheClosedForm) {
  const ModelSpec m = SmallLlama();
  const double s = 2048;
  const OpGraph graph = Whole(m, Training(2048));
  // A layer's matrices: q h·h, k and v h·h/4 each, out h·h, three of h·ffn; and
  // the head h·vocab. 2 FLOPs for each weight and token forward, 4 backward.
  const double h = 1024, ffn = 2816, vocab = 32000;
  const double weights =
      4 * (h * h + 2 * h * h / 4 + h * h + 3 * h * ffn) + h * vocab;
  EXPECT_EQ(FlopsWhere(graph, Phase::kForward, false), 2 * s * weights);
  EXPECT_EQ(FlopsWhere(graph, Phase::kBackward, false), 4 * s * weights);
  // Causal pairs s(s+1)/2; two products forward, five in the fused backward.
  const double pairs = s * (s + 1) / 2;
  EXPECT_EQ(FlopsWhere(graph, Phase::kForward, true), 4 * 2 * 2 * pairs * h);
  EXPECT_EQ(FlopsWhere(graph, Phase::kBackward, true), 4 * 5 * 2 * pairs * h);
}

TEST(TrainingGraph, TensorParallelRanksDivideTheFlops) {
  const ModelSpec m = SmallLlama();
  const OpGraph whole = Whole(m, Training(2048));
  for (const bool sequence : {false, true}) {
    const OpGraph part =
        Whole(m, Training(2048, {.tensor = 4, .sequence = sequence}));
    for (const Phase phase : {Phase::kForward, Phase::kBackward}) {
      for (const bool attention : {false, true}) {
        EXPECT_EQ(FlopsWhere(part, phase, attention) * 4,
                  FlopsWhere(whole, phase, attention));
      }
    }
  }
}

TEST(TrainingGraph, ContextParallelRanksDivideCausalAttention) {
  const ModelSpec m = SmallLlama();
  const double whole =
      FlopsWhere(Whole(m, Training(8192)), Phase::kForward, true);
  const double part = FlopsWhere(Whole(m, Training(8192, {.context = 4})),
                                 Phase::kForward, true);
  // s/4 causal over itself, then three steps over half of s/4 keys:
  // (s/4)(s/4+1)/2 + 3·(s/4)(s/8) = s²/8 + s/8, a quarter of s²/2 + s/2.
  EXPECT_EQ(part * 4, whole);
}

TEST(TrainingGraph, WindowsLeaveABandOfPairs) {
  ModelSpec m = SmallLlama();
  m.sliding_window = 256;
  m.window_in_layer = {true, false, true, false};
  const double s = 1024, w = 256, h = 1024;
  // Query i sees min(i + 1, w) keys: s·w less the corner of w(w - 1)/2.
  const double band = s * w - w * (w - 1) / 2, whole = s * (s + 1) / 2;
  EXPECT_EQ(FlopsWhere(Whole(m, Training(1024)), Phase::kForward, true),
            2 * 4 * (band + whole) * h);
  // Counted as model FLOPs are, a band stays a band; the triangle is a square.
  double counted = 0;
  for (const Op& op : Whole(m, Training(1024)).ops) {
    if (op.phase != Phase::kForward || op.kernel() == nullptr) continue;
    if (!std::holds_alternative<Attention>(*op.kernel())) continue;
    counted += MatrixFlops(*op.kernel(), false).count();
  }
  EXPECT_EQ(counted, 2 * 4 * (band + s * s) * h);
}

TEST(TrainingGraph, FullRecomputationRunsTheForwardLayersAgain) {
  const ModelSpec m = SmallLlama();
  TrainingSpec t = Training(1024);
  const OpGraph none = Whole(m, t);
  t.recompute = Recompute::kFull;
  const OpGraph full = Whole(m, t);
  const double head = 2.0 * 1024 * 1024 * 32000;
  EXPECT_EQ(FlopsWhere(full, Phase::kBackward, false),
            FlopsWhere(none, Phase::kBackward, false) +
                FlopsWhere(none, Phase::kForward, false) - head);
  t.recompute_layers = 1;  // a quarter of the layers
  const OpGraph first = Whole(m, t);
  EXPECT_EQ(FlopsWhere(first, Phase::kBackward, true),
            FlopsWhere(none, Phase::kBackward, true) +
                FlopsWhere(none, Phase::kForward, true) / 4);
}

// Bytes of collectives of one kind and axis over both passes.
int64_t Communicated(const OpGraph& graph, CollectiveKind kind, Axis axis) {
  int64_t bytes = 0;
  for (const Op& op : graph.ops) {
    const Collective* c = op.collective();
    if (c != nullptr && c->kind == kind && c->axis == axis) {
      bytes += c->bytes.count();
    }
  }
  return bytes;
}

TEST(TrainingGraph, TensorParallelLayersAllReduceFourTimes) {
  const ModelSpec m = SmallLlama();
  const OpGraph graph = Whole(m, Training(2048, {.tensor = 4}));
  // Two forward and two backward all-reduces of s·h in 2 bytes a layer
  // (Megatron, figure 3), one for the embedding, one for the logits' input
  // gradient, and three of s FP32 words for the loss.
  const int64_t activations = 2048 * 1024 * 2;
  EXPECT_EQ(Communicated(graph, CollectiveKind::kAllReduce, Axis::kTensor),
            (4 * 4 + 2) * activations + 3 * 2048 * 4);
}

TEST(TrainingGraph, SequenceParallelismMovesTheSameBytesPlusOneGather) {
  const ModelSpec m = SmallLlama();
  const OpGraph graph =
      Whole(m, Training(2048, {.tensor = 4, .sequence = true}));
  const int64_t activations = 2048 * 1024 * 2;
  // Forward two all-gathers and two reduce-scatters a layer; backward gathers
  // two gradients and, for the weight gradients, the two inputs again, and
  // scatters two sums. Embedding: scatter, and a gather backward. Logits:
  // gather forward, gather again and scatter backward.
  EXPECT_EQ(Communicated(graph, CollectiveKind::kReduceScatter, Axis::kTensor),
            (4 * 4 + 2) * activations);
  EXPECT_EQ(Communicated(graph, CollectiveKind::kAllGather, Axis::kTensor),
            (4 * 6 + 3) * activations);
}

TEST(TrainingGraph, OverlappedTensorParallelismMovesAndComputesTheSame) {
  const ModelSpec m = SmallLlama();
  TrainingSpec t = Training(2048, {.tensor = 4, .sequence = true});
  const OpGraph plain = Whole(m, t);
  t.overlap.tensor = true;
  const OpGraph pieces = Whole(m, t);
  EXPECT_GT(pieces.ops.size(), plain.ops.size());
  for (const CollectiveKind kind :
       {CollectiveKind::kAllGather, CollectiveKind::kReduceScatter}) {
    EXPECT_EQ(Communicated(pieces, kind, Axis::kTensor),
              Communicated(plain, kind, Axis::kTensor));
  }
  for (const Phase phase : {Phase::kForward, Phase::kBackward}) {
    EXPECT_EQ(FlopsWhere(pieces, phase, false),
              FlopsWhere(plain, phase, false));
  }
}

TEST(TrainingGraph, EveryGradientIsReducedOnce) {
  for (const ModelSpec& m : {SmallLlama(), SmallGpt()}) {
    for (const int zero : {0, 1, 2, 3}) {
      TrainingSpec t = Training(1024, {.data = 4, .zero = zero});
      t.overlap.bucket_parameters = 1'000'000;
      t.fp32_grad_reduce = true;
      const Chunk chunk{0, m.layers, true, true};
      const int64_t parameters = RankShape(m, t).ParametersOf(chunk).total();
      EXPECT_EQ(Communicated(BuildChunk(m, t, chunk),
                             zero == 0 ? CollectiveKind::kAllReduce
                                       : CollectiveKind::kReduceScatter,
                             zero == 3 ? Axis::kShard : Axis::kData),
                4 * parameters)
          << m.name << " zero " << zero;
    }
  }
}

TEST(TrainingGraph, FsdpGathersEveryWeightForwardAndEveryLayerBackward) {
  const ModelSpec m = SmallLlama();
  TrainingSpec t = Training(1024, {.data = 4, .zero = 3});
  const RankShape shape(m, t);
  const Chunk chunk{0, m.layers, true, true};
  const int64_t all = shape.ParametersOf(chunk).total();
  const int64_t layers = 4 * shape.dense_layer.dense;
  const auto gathered = [&] {
    return Communicated(BuildChunk(m, t, chunk), CollectiveKind::kAllGather,
                        Axis::kShard);
  };
  EXPECT_EQ(gathered(), 2 * (all + layers));
  t.overlap.reshard_after_forward = false;
  EXPECT_EQ(gathered(), 2 * all);
}

TEST(TrainingGraph, ShardGroupsScatterWithinAndSumAcross) {
  const ModelSpec m = SmallLlama();
  for (const int zero : {1, 2, 3}) {
    TrainingSpec t =
        Training(1024, {.data = 8, .zero = zero, .shard_group = 4});
    const Chunk chunk{0, m.layers, true, true};
    const int64_t parameters = RankShape(m, t).ParametersOf(chunk).total();
    const OpGraph graph = BuildChunk(m, t, chunk);
    // FP32 sums: four bytes a parameter scattered over the 4 of a group, then a
    // quarter of them summed over the 2 groups.
    EXPECT_EQ(Communicated(graph, CollectiveKind::kReduceScatter, Axis::kShard),
              4 * parameters);
    EXPECT_EQ(Communicated(graph, CollectiveKind::kAllReduce, Axis::kReplicate),
              parameters);
    // 12 bytes of master weights and moments for a quarter of the parameters.
    EXPECT_EQ(ResidentBytes(t, {.dense = 8000}, Holder::kOptimizerState),
              sim::Bytes(12 * 2000));
  }
}

TEST(TrainingGraph, OverlappedGatheringBringsEveryUpdatedWeightOnce) {
  for (const ModelSpec& m : {SmallLlama(), SmallGpt()}) {
    TrainingSpec t = Training(1024, {.data = 4, .zero = 1});
    t.overlap.param_gather = true;
    const Chunk chunk{0, m.layers, true, true};
    EXPECT_EQ(Communicated(BuildChunk(m, t, chunk), CollectiveKind::kAllGather,
                           Axis::kData),
              2 * RankShape(m, t).ParametersOf(chunk).total())
        << m.name;
  }
}

TEST(TrainingGraph, OnlyFp8TrainingGathersWeightsAsFp8) {
  const ModelSpec m = SmallLlama();
  TrainingSpec t = Training(1024, {.data = 4, .zero = 3});
  t.overlap.reshard_after_forward = false;
  t.fp8_param_gather = true;
  const Chunk chunk{0, m.layers, true, true};
  const auto gathered = [&] {
    return Communicated(BuildChunk(m, t, chunk), CollectiveKind::kAllGather,
                        Axis::kShard);
  };
  const int64_t parameters = RankShape(m, t).ParametersOf(chunk).total();
  EXPECT_EQ(gathered(), 2 * parameters);
  t.precision = Precision::kFp8;
  EXPECT_EQ(gathered(), parameters);
}

TEST(TrainingGraph, LateBucketsHoldWholeLayers) {
  const ModelSpec m = SmallLlama();
  TrainingSpec t = Training(1024, {.data = 4});
  t.overlap.grad_reduce = false;
  t.overlap.bucket_parameters = 1;
  const Chunk chunk{0, m.layers, true, true};
  const OpGraph step = BuildStep(m, t, {&chunk, 1});
  int64_t reductions = 0;
  for (const Op& op : step.ops) {
    const Collective* c = op.collective();
    reductions += c != nullptr && c->axis == Axis::kData ? 1 : 0;
  }
  // Two tables of 32,000 · 1,024 = 32.8 M, four layers of 2·1024² + 2·1024·256
  // + 3·1024·2816 + 2·1024 = 11.3 M and a norm: 110.6 M in 10 layers' worth.
  EXPECT_EQ(reductions, 10);
}

bool Needs(const OpGraph& graph, size_t row, absl::string_view name) {
  for (const OpId need : graph.needs[sim::AsId<OpId>(row)]) {
    if (graph.ops[need].name == name) return true;
  }
  return false;
}

TEST(TrainingGraph, WeightGradientsWaitForTheSumOnlyWithoutOverlap) {
  const ModelSpec m = SmallGpt();  // biases: more gradients than products
  for (const bool overlap : {false, true}) {
    TrainingSpec t = Training(1024, {.tensor = 4});
    t.overlap.tensor_backward = overlap;
    const OpGraph graph = Whole(m, t);
    for (size_t row = 0; row < graph.ops.size(); ++row) {
      const absl::string_view name = graph.ops[sim::AsId<OpId>(row)].name;
      if (name != "qkv wgrad" && name != "mlp up wgrad") continue;
      EXPECT_EQ(Needs(graph, row, "tp all-reduce"), !overlap) << name;
    }
  }
}

TEST(TrainingGraph, ShardedEmbeddingsWaitForTheirTable) {
  const OpGraph graph =
      Whole(SmallLlama(), Training(1024, {.data = 4, .zero = 3}));
  for (size_t row = 0; row < graph.ops.size(); ++row) {
    if (graph.ops[sim::AsId<OpId>(row)].name != "embedding") continue;
    EXPECT_TRUE(Needs(graph, row, "gather weights"));
  }
}

TEST(TrainingGraph, ZeroOneMaySumAllGradientsEverywhere) {
  const ModelSpec m = SmallLlama();
  TrainingSpec t = Training(1024, {.data = 4, .zero = 1});
  t.overlap.grad_scatter = false;
  const Chunk chunk{0, m.layers, true, true};
  const OpGraph graph = BuildChunk(m, t, chunk);
  EXPECT_EQ(Communicated(graph, CollectiveKind::kReduceScatter, Axis::kData),
            0);
  EXPECT_EQ(Communicated(graph, CollectiveKind::kAllReduce, Axis::kData),
            4 * RankShape(m, t).ParametersOf(chunk).total());
}

TEST(TrainingGraph, ScatteredMessagesAreGatheredWhereTheyArrive) {
  const ModelSpec m = SmallLlama();
  TrainingSpec t = Training(1024, {.tensor = 4, .pipeline = 2});
  t.overlap.pipeline_scatter = true;
  const OpGraph last = BuildChunk(
      m, t, {.first_layer = 2, .layers = 2, .embedding = false, .head = true});
  // 1024 tokens x 1024 x 2 bytes: a quarter comes in, a quarter goes back.
  const int64_t message = 1024 * 1024 * 2;
  EXPECT_EQ(Communicated(last, CollectiveKind::kSendRecv, Axis::kForwardIn),
            message / 4);
  EXPECT_EQ(Communicated(last, CollectiveKind::kSendRecv, Axis::kBackwardOut),
            message / 4);
  EXPECT_EQ(Communicated(last, CollectiveKind::kAllGather, Axis::kTensor),
            message);
}

TEST(TrainingGraph, TheLossIsMadeOfWhatAllTensorParallelRanksSummed) {
  const OpGraph graph = Whole(SmallLlama(), Training(1024, {.tensor = 4}));
  int losses = 0;
  for (size_t row = 0; row < graph.ops.size(); ++row) {
    if (graph.ops[sim::AsId<OpId>(row)].name != "loss") continue;
    ++losses;
    EXPECT_TRUE(Needs(graph, row, "loss all-reduce"));
    EXPECT_EQ(graph.ops[sim::AsId<OpId>(row)].phase, Phase::kForward);
  }
  EXPECT_EQ(losses, 1);
}

// Most bytes of logits at once, in both passes.
int64_t PeakOfLogits(const OpGraph& graph) {
  int64_t live = 0, peak = 0;
  for (size_t row = 0; row < graph.ops.size(); ++row) {
    const auto id = sim::AsId<OpId>(row);
    for (const TensorId t : graph.makes[id]) {
      if (graph.tensors[t].holder != Holder::kLogits) continue;
      peak = std::max(peak, live += graph.tensors[t].bytes.count());
    }
    for (const TensorId t : graph.frees[id]) {
      if (graph.tensors[t].holder != Holder::kLogits) continue;
      live -= graph.tensors[t].bytes.count();
    }
  }
  return peak;
}

TEST(TrainingGraph, EagerCrossEntropyHoldsTenBytesALogit) {
  TrainingSpec t = Training(1024);
  // Logits in 16 bits, overwritten by their gradient.
  EXPECT_EQ(PeakOfLogits(Whole(SmallLlama(), t)), 2 * 1024 * 32000);
  // Logits 2, in FP32 4, log-softmax 4; backward log-softmax 4, its gradient 4,
  // in 16 bits 2.
  t.kernels.fused_cross_entropy = false;
  EXPECT_EQ(PeakOfLogits(Whole(SmallLlama(), t)), 10 * 1024 * 32000);
}

TEST(TrainingGraph, MaterialisedScoresAreAddedToAlibisBias) {
  ModelSpec m = SmallGpt();
  TrainingSpec t = Training(1024);
  t.kernels.fused_attention = false;
  const auto read = [&](absl::string_view name) {
    int64_t bytes = 0;
    for (const Op& op : Whole(m, t).ops) {
      if (op.name == name) bytes += WorkOf(*op.kernel()).read.count();
    }
    return bytes;
  };
  const int64_t plain = read("attention scores");
  EXPECT_EQ(read("alibi"), 0);
  m.positions = Positions::kAlibi;
  // Two layers, 8 heads: the bias of 1024² pairs in two bytes is read once
  // more.
  EXPECT_EQ(read("attention scores") - plain, 2 * 8 * 1024 * 1024 * 2);
  EXPECT_GT(read("alibi"), 0);
}

TEST(TrainingGraph, SoftmaxIsFusedOverFourMatricesOfScores) {
  TrainingSpec t = Training(1024);
  t.kernels.fused_attention = false;
  const auto kernels = [&](int64_t tensor) {
    t.split.tensor = tensor;
    int total = 0;
    for (const Op& op : Whole(SmallGpt(), t).ops) {
      if (op.name == "softmax") total += LaunchesOf(*op.kernel());
    }
    return total;
  };
  // Two layers, 8 heads: 8 or 4 matrices on a rank are whole fours, 2 are not,
  // and take three kernels of PyTorch's.
  EXPECT_EQ(kernels(2), 2);
  EXPECT_EQ(kernels(4), 2 * 3);
}

TEST(TrainingGraph, LinearStackCostsSixFlopsAWeightAndTokenButTheFirst) {
  ModelSpec m;
  m.layers = 2;
  m.hidden = 4;
  m.linear_stack = true;
  TrainingSpec t = Training(2);
  const OpGraph graph = Whole(m, t);
  // B = 2, D = 4: 2·B·D² a product; forward 2, backward 2 weight gradients and
  // one input gradient.
  EXPECT_EQ(FlopsWhere(graph, Phase::kForward, false) +
                FlopsWhere(graph, Phase::kBackward, false),
            5 * 2 * 2 * 16);
}

TEST(TrainingGraph, ZeroDividesTheState) {
  // 16 B a parameter with 16-bit gradients: weights 2, gradients 2, FP32
  // master and two moments 12 (Rajbhandari et al. 2020, section 3.1).
  TrainingSpec t = Training(1024, {.data = 8});
  t.fp32_gradients = false;
  const auto total = [&](int zero) {
    t.split.zero = zero;
    int64_t bytes = 0;
    for (const Holder holder :
         {Holder::kWeights, Holder::kGradients, Holder::kOptimizerState}) {
      bytes += ResidentBytes(t, {.dense = 8000}, holder).count();
    }
    return bytes;
  };
  EXPECT_EQ(total(0), 16 * 8000);
  EXPECT_EQ(total(1), 4 * 8000 + 12 * 1000);
  EXPECT_EQ(total(2), 2 * 8000 + 14 * 1000);
  EXPECT_EQ(total(3), 14 * 1000);  // 16-bit weights only while gathered
}

TEST(TrainingGraph, ChunksCoverTheModelInOrder) {
  ModelSpec m = SmallLlama();
  m.layers = 10;
  // Chunk c lies on stage c % 2; 10 layers over 4 chunks: 3 3 2 2.
  const auto stages = ChunksOf(m, {.pipeline = 2, .virtual_stages = 2});
  EXPECT_EQ(stages[0],
            (std::vector<Chunk>{{0, 3, true, false}, {6, 2, false, false}}));
  EXPECT_EQ(stages[1],
            (std::vector<Chunk>{{3, 3, false, false}, {8, 2, false, true}}));
}

}  // namespace
}  // namespace models
