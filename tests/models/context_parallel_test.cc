#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "models/operator_totals.h"
#include "models/rank_shape.h"
#include "models/training_graph.h"

namespace models {
namespace {

// Two layers; 8 query and 4 key-value heads of 64.
ModelSpec Small() {
  ModelSpec m;
  m.name = "small";
  m.layers = 2;
  m.hidden = 512;
  m.heads = 8;
  m.kv_heads = 4;
  m.head_dim = 64;
  m.ffn_hidden = 1024;
  m.vocab = 1024;
  m.gated_mlp = true;
  m.norm = Norm::kRmsNorm;
  m.norm_bias = false;
  return m;
}

TrainingSpec Training(Split split, int64_t sequence = 8192) {
  TrainingSpec t;
  t.sequence_length = sequence;
  t.split = split;
  t.pad_vocab_to = 1;
  return t;
}

OpGraph Whole(const ModelSpec& model, const TrainingSpec& training) {
  return BuildChunk(model, training, ChunksOf(model, training.split)[0][0]);
}

// Every way that four ranks can divide a sequence.
std::vector<Split> FourRanks() {
  std::vector<Split> splits;
  for (const ContextKind kind :
       {ContextKind::kP2p, ContextKind::kAllGather, ContextKind::kAllToAll,
        ContextKind::kHybrid, ContextKind::kPyTorch}) {
    Split split{.context = 4, .context_kind = kind};
    if (kind == ContextKind::kHybrid) split.context_inner = 2;
    splits.push_back(split);
  }
  return splits;
}

double AttentionFlops(const OpGraph& graph, Phase phase, bool masked) {
  double flops = 0;
  for (const Op& op : graph.ops) {
    if (op.kernel() == nullptr || op.phase != phase) continue;
    if (!std::holds_alternative<Attention>(*op.kernel())) continue;
    flops += masked ? WorkOf(*op.kernel()).flops.count()
                    : MatrixFlops(*op.kernel(), false).count();
  }
  return flops;
}

// Bytes that one of four ranks sends of one layer, by name of the operation.
std::map<std::string, double> Sent(const OpGraph& graph, Phase phase) {
  std::map<std::string, double> sent;
  for (const Op& op : graph.ops) {
    const Collective* c = op.collective();
    if (c == nullptr || op.phase != phase || op.layer != 0) continue;
    const auto bytes = static_cast<double>(c->bytes.count());
    const bool message = c->kind == CollectiveKind::kSendRecv;
    sent[std::string(op.name)] += message ? bytes : bytes * 3 / 4;
  }
  return sent;
}

TEST(ContextParallel, RanksOfEveryKindDivideCausalAttention) {
  const ModelSpec m = Small();
  const OpGraph whole = Whole(m, Training({}));
  for (const Split& split : FourRanks()) {
    const OpGraph part = Whole(m, Training(split));
    for (const Phase phase : {Phase::kForward, Phase::kBackward}) {
      for (const bool masked : {false, true}) {
        EXPECT_EQ(4 * AttentionFlops(part, phase, masked),
                  AttentionFlops(whole, phase, masked))
            << NameOf(split.context_kind) << " " << masked;
      }
    }
  }
}

TEST(ContextParallel, ARingAddsUpToTheCausalTriangle) {
  // s = 8192 over 4 ranks, 8 heads of 64, 2 layers: a step over its own 2048
  // queries, causal, and three over 1024 keys each.
  const double pairs = 2048.0 * 2049 / 2 + 3 * 2048.0 * 1024;
  EXPECT_EQ(pairs * 4, 8192.0 * 8193 / 2);
  const OpGraph part = Whole(Small(), Training({.context = 4}));
  EXPECT_EQ(AttentionFlops(part, Phase::kForward, true),
            2 * 2 * pairs * 8 * (64 + 64));
  EXPECT_EQ(AttentionFlops(part, Phase::kBackward, true),
            2 * 2 * pairs * 8 * (3 * 64 + 2 * 64));
}

// Of 2048 tokens in 16 bits: queries and context 512 wide, keys and values 256.
constexpr double kQueries = 2.0 * 2048 * 512;
constexpr double kKeysAndValues = 2.0 * 2048 * 2 * 256;

TEST(ContextParallel, ARingSendsKeysOnceAndTheirGradientsOnce) {
  const OpGraph graph = Whole(Small(), Training({.context = 4}));
  const auto forward = Sent(graph, Phase::kForward);
  EXPECT_EQ(forward.size(), 1u);
  EXPECT_EQ(forward.at("cp keys"), 3 * kKeysAndValues);
  // Keys alone, twice both, gradients alone: three of either.
  const auto backward = Sent(graph, Phase::kBackward);
  EXPECT_EQ(backward.at("cp keys"), kKeysAndValues);
  EXPECT_EQ(backward.at("cp keys and gradients"), 2 * 2 * kKeysAndValues);
  EXPECT_EQ(backward.at("cp gradients"), kKeysAndValues);
}

TEST(ContextParallel, GatheringSendsThreeQuartersOfAllKeysAndScattersAsMany) {
  const OpGraph graph =
      Whole(Small(),
            Training({.context = 4, .context_kind = ContextKind::kAllGather}));
  // All keys and values are four ranks'; three quarters of them travel.
  const double moved = 4 * kKeysAndValues * 3 / 4;
  EXPECT_EQ(Sent(graph, Phase::kForward).at("cp gather keys"), moved);
  EXPECT_EQ(Sent(graph, Phase::kBackward).at("cp gather keys"), moved);
  EXPECT_EQ(Sent(graph, Phase::kBackward).at("cp scatter gradients"), moved);
}

TEST(ContextParallel, ExchangedHeadsSendThreeQuartersOfQueriesKeysAndContext) {
  const OpGraph graph =
      Whole(Small(),
            Training({.context = 4, .context_kind = ContextKind::kAllToAll}));
  // Queries, keys, values; and the context back.
  EXPECT_EQ(Sent(graph, Phase::kForward).at("cp all-to-all"),
            (kQueries + kKeysAndValues + kQueries) * 3 / 4);
  // Context and its gradient; gradients of all three back.
  EXPECT_EQ(Sent(graph, Phase::kBackward).at("cp all-to-all"),
            (2 * kQueries + kQueries + kKeysAndValues) * 3 / 4);
}

TEST(ContextParallel, EachStepMergesItsOutput) {
  std::map<std::string, int64_t> count;
  const OpGraph graph = Whole(Small(), Training({.context = 4}));
  for (const Op& op : graph.ops) {
    if (op.layer == 0) ++count[std::string(op.name)];
  }
  EXPECT_EQ(count.at("attention"), 4);
  EXPECT_EQ(count.at("cp merge"), 4);             // one for each output
  EXPECT_EQ(count.at("cp merge statistics"), 3);  // … and one less
  EXPECT_EQ(count.at("cp sum query gradient"), 4);
  EXPECT_EQ(count.at("cp sum key gradient"), 4);
}

TEST(ContextParallel, WindowsLeaveKeysUnread) {
  ModelSpec m = Small();
  m.sliding_window = 1024;
  const OpGraph whole = Whole(m, Training({}));
  for (const ContextKind kind :
       {ContextKind::kAllGather, ContextKind::kAllToAll}) {
    const OpGraph part =
        Whole(m, Training({.context = 4, .context_kind = kind}));
    // Queries in the middle see whole windows, 1024 keys; exchanged heads see
    // what all do: the first 1023 queries fewer.
    const double full = 2 * 2 * 8 * (64 + 64) * 2048.0 * 1024;
    EXPECT_EQ(AttentionFlops(part, Phase::kForward, true),
              kind == ContextKind::kAllGather
                  ? full
                  : AttentionFlops(whole, Phase::kForward, true) / 4);
  }
}

TEST(PackedSequences, SeeTheKeysOfTheirOwnSequence) {
  const Sequences s{.lengths = {512, 2048}, .shares = {3, 1}};
  EXPECT_EQ(s.Mean(), (3 * 512 + 2048) / 4.0);
  // (3·512² + 2048²) / (3·512 + 2048) = 4980736 / 3584.
  EXPECT_DOUBLE_EQ(s.Keys(), 4980736.0 / 3584);
  // Half of them and half of itself.
  EXPECT_DOUBLE_EQ(s.VisibleKeys(0), (s.Keys() + 1) / 2);
  // Window 512: the long one's first 512 see up to 512, the rest 512 each:
  // 512·513/2 + 1536·512.
  EXPECT_DOUBLE_EQ(s.VisibleKeys(512),
                   (4 * 512.0 * 513 / 2 + 1536.0 * 512) / 3584);
}

TEST(PackedSequences, OfARowsLengthAreTheRow) {
  const ModelSpec m = Small();
  TrainingSpec packed = Training({});
  packed.sequences.lengths = {8192};
  for (const Phase phase : {Phase::kForward, Phase::kBackward}) {
    for (const bool masked : {false, true}) {
      EXPECT_EQ(AttentionFlops(Whole(m, packed), phase, masked),
                AttentionFlops(Whole(m, Training({})), phase, masked));
    }
  }
}

TEST(PackedSequences, DivideAmongARing) {
  const ModelSpec m = Small();
  TrainingSpec whole = Training({}), part = Training({.context = 4});
  whole.sequences.lengths = part.sequences.lengths = {512, 512, 512, 2048};
  EXPECT_DOUBLE_EQ(4 * AttentionFlops(Whole(m, part), Phase::kForward, true),
                   AttentionFlops(Whole(m, whole), Phase::kForward, true));
  // 3584 tokens hold 3·512·513/2 + 2048·2049/2 pairs, a row 8192 / 3584 times
  // as many.
  const double pairs =
      8192.0 / 3584 * (3 * 512.0 * 513 / 2 + 2048.0 * 2049 / 2);
  EXPECT_DOUBLE_EQ(AttentionFlops(Whole(m, whole), Phase::kForward, true),
                   2 * 2 * pairs * 8 * (64 + 64));
}

TEST(PackedSequences, AreCountedByTheClosedForm) {
  const ModelSpec m = Small();
  TrainingSpec packed = Training({});
  packed.sequences = {.lengths = {512, 2048}, .shares = {3, 1}, .fill = 0.75};
  for (const bool causal_half : {false, true}) {
    const double closed = ProductsOf(m, 1, 8192, causal_half, packed.sequences)
                              .back()
                              .forward.count();
    EXPECT_DOUBLE_EQ(
        AttentionFlops(Whole(m, packed), Phase::kForward, causal_half), closed);
  }
  EXPECT_EQ(packed.sequences.Useful(8192), 0.75);
  packed.sequences.packed = false;
  EXPECT_EQ(packed.sequences.Useful(8192), 896.0 / 8192);
}

}  // namespace
}  // namespace models
