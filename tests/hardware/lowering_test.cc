#include "hardware/lowering.h"

#include <gtest/gtest.h>

#include "sim/engine.h"
#include "sim/fold.h"
#include "sim/program_check.h"

namespace hardware {
namespace {

using models::Split;

models::ModelSpec Model() {
  models::ModelSpec m;
  m.name = "small";
  m.layers = 8;
  m.hidden = 1024;
  m.heads = 16;
  m.kv_heads = 8;
  m.head_dim = 64;
  m.ffn_hidden = 2816;
  m.vocab = 32000;
  m.gated_mlp = true;
  m.norm = models::Norm::kRmsNorm;
  return m;
}

class Lowering : public testing::Test {
 protected:
  LoweredStep Lower(const models::TrainingSpec& training) {
    Cluster cluster = LoadCluster("dgx-h100").value();
    const int64_t ranks = training.split.ranks();
    cluster.nodes = static_cast<int>((ranks + 7) / 8);
    return LowerTraining(Model(), training,
                         CostModel::Load("h100-sxm-80gb").value(), cluster);
  }

  models::TrainingSpec Training(const Split& split, int64_t microbatches) {
    models::TrainingSpec t;
    t.sequence_length = 1024;
    t.split = split;
    t.global_batch = microbatches * split.data;
    return t;
  }
};

struct Case {
  const char* name;
  Split split;
  int64_t microbatches;
};

const Case kCases[] = {
    {"one rank", {}, 2},
    {"dp", {.data = 4}, 2},
    {"tp", {.tensor = 4}, 2},
    {"tp sp dp", {.tensor = 4, .sequence = true, .data = 2}, 2},
    {"cp dp", {.context = 2, .data = 2}, 1},
    {"gpipe", {.pipeline = 4, .schedule = "gpipe"}, 4},
    {"1f1b", {.pipeline = 4, .data = 2}, 8},
    {"interleaved",
     {.pipeline = 4, .virtual_stages = 2, .schedule = "interleaved-1f1b"},
     8},
    {"two stages, interleaved",
     {.tensor = 2,
      .pipeline = 2,
      .virtual_stages = 4,
      .schedule = "interleaved-1f1b",
      .data = 2,
      .zero = 1},
     4},
    {"breadth first",
     {.pipeline = 4, .virtual_stages = 2, .schedule = "breadth-first"},
     6},
    {"zb-h1", {.pipeline = 4, .schedule = "zb-h1", .data = 2}, 8},
    {"zb-2p", {.tensor = 2, .pipeline = 4, .schedule = "zb-2p"}, 8},
    {"zb-v",
     {.tensor = 2,
      .sequence = true,
      .pipeline = 4,
      .virtual_stages = 2,
      .schedule = "zb-v",
      .data = 2,
      .zero = 1},
     8},
    {"dualpipe", {.pipeline = 4, .schedule = "dualpipe", .data = 2, .zero = 1},
     10},
    {"dualpipe-v",
     {.tensor = 2,
      .pipeline = 2,
      .virtual_stages = 2,
      .schedule = "dualpipe-v",
      .data = 2},
     5},
    {"vocabulary, two barriers",
     {.pipeline = 4,
      .vocabulary = models::VocabularySplit::kTwoBarriers,
      .data = 2},
     8},
    {"vocabulary, one barrier",
     {.tensor = 2,
      .pipeline = 4,
      .vocabulary = models::VocabularySplit::kOneBarrier},
     8},
    {"a table",
     {.pipeline = 2,
      .schedule = "table",
      .schedule_table = {{{.microbatch = 0},
                          {.microbatch = 1, .with_next = true},
                          {.kind = models::PassKind::kInputGradient},
                          {.kind = models::PassKind::kBackward,
                           .microbatch = 1},
                          {.kind = models::PassKind::kWeightGradient}},
                         {{.microbatch = 0},
                          {.kind = models::PassKind::kBackward},
                          {.microbatch = 1},
                          {.kind = models::PassKind::kBackward,
                           .microbatch = 1}}}},
     2},
    {"zero 2", {.data = 8, .zero = 2}, 2},
    {"fsdp", {.data = 8, .zero = 3}, 2},
    {"hsdp", {.data = 16, .zero = 3, .shard_group = 8}, 1},
    {"fsdp tp", {.tensor = 2, .sequence = true, .data = 4, .zero = 3}, 1},
};

TEST_F(Lowering, ProgramsAreSoundAndEveryRankFinishes) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    const LoweredStep step = Lower(Training(c.split, c.microbatches));
    EXPECT_TRUE(sim::Check(step.program).ok()) << sim::Check(step.program);
    const auto timeline = sim::Simulate(step.program);
    ASSERT_TRUE(timeline.ok()) << timeline.status();
    EXPECT_GT(timeline->makespan, sim::Duration(0));
  }
}

// The first tensor-parallel collective of a step.
const PricedOp& TensorCollective(const LoweredStep& step) {
  for (const PricedOp& op : step.ops) {
    const models::Collective* c = op.op.collective();
    if (c != nullptr && c->axis == models::Axis::kTensor) return op;
  }
  ADD_FAILURE() << "no tensor-parallel collective";
  return *step.ops.begin();
}

TEST_F(Lowering, GroupsThatStraddleServersCostWhatTheWorstPlacedCosts) {
  models::ModelSpec model = Model();
  model.heads = model.kv_heads = 12;
  model.head_dim = 96;
  model.hidden = 1152;
  model.ffn_hidden = 3072;
  Cluster cluster = LoadCluster("dgx-h100").value();
  cluster.nodes = 3;
  const CostModel h100 = CostModel::Load("h100-sxm-80gb").value();
  // Ranks 0-2, 3-5 lie in the first server, 6-8 across the first two (two
  // ranks and one), 15-17 across the others (one and two).
  const LoweredStep step = LowerTraining(
      model, Training({.tensor = 3, .data = 8}, 1), h100, cluster);
  const PricedOp& op = TensorCollective(step);
  EXPECT_EQ(op.group.nodes, 2);
  const Cluster busy = cluster.InTraining();
  EXPECT_EQ(op.time, PriceOf(*op.op.collective(),
                             ShapeOf(busy, std::vector<int>{6, 7, 8}), busy)
                         .time);
  EXPECT_GT(op.time, PriceOf(*op.op.collective(),
                             ShapeOf(busy, std::vector<int>{0, 1, 2}), busy)
                         .time);
}

void ExpectFoldedRunsAreBitEqual(const LoweredStep& step, int64_t stages) {
  const sim::Folding folding = sim::Fold(step.program);
  EXPECT_EQ(folding.representative.size(), static_cast<size_t>(stages));
  const sim::Timeline whole = sim::Simulate(step.program).value();
  const sim::Timeline folded = sim::Simulate(folding.program).value();
  for (size_t row = 0; row < step.program.script.size(); ++row) {
    const auto rank = sim::AsId<sim::RankId>(row);
    const auto expected = whole.finish(rank);
    const auto actual = folded.finish(folding.folded[rank]);
    ASSERT_TRUE(std::equal(expected.begin(), expected.end(), actual.begin(),
                           actual.end()));
  }
}

TEST_F(Lowering, FoldedAndUnfoldedRunsAreBitEqual) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    ExpectFoldedRunsAreBitEqual(Lower(Training(c.split, c.microbatches)),
                                c.split.pipeline);
  }
}

TEST_F(Lowering, SoAreThoseWhoseCommunicationsShareLinks) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    models::TrainingSpec training = Training(c.split, c.microbatches);
    training.overlap.link_contention = true;
    const LoweredStep step = Lower(training);
    EXPECT_TRUE(sim::Check(step.program).ok()) << sim::Check(step.program);
    EXPECT_EQ(step.program.links.size(), 6);
    ExpectFoldedRunsAreBitEqual(step, c.split.pipeline);
  }
}

TEST_F(Lowering, GathersOfWeightsAndTensorParallelSumsSlowEachOther) {
  // On one server: both go over NVLink.
  models::TrainingSpec training =
      Training({.tensor = 2, .sequence = true, .data = 4, .zero = 3}, 1);
  training.sequence_length = 16384;
  const LoweredStep off = Lower(training);
  EXPECT_EQ(off.program.uses.size(), 0);
  EXPECT_TRUE(off.program.links.empty());
  training.overlap.link_contention = true;
  const LoweredStep on = Lower(training);
  EXPECT_GT(on.program.uses.size(), 0);
  EXPECT_GT(sim::Simulate(on.program)->makespan,
            sim::Simulate(off.program)->makespan);
}

// Kernels of one rank, alone on the device.
sim::Duration Busy(const LoweredStep& step, sim::ScriptId script) {
  sim::Duration busy;
  for (const sim::Task& task : step.program.scripts[script].tasks) {
    if (task.lane == sim::LaneId{0}) busy += task.duration;
  }
  return busy;
}

TEST_F(Lowering, OneRankTakesTheSumOfItsKernelsAndItsHost) {
  models::TrainingSpec t = Training({}, 2);
  t.host.launch_microseconds = 1e-6;  // a picosecond: the device never waits
  const LoweredStep step = Lower(t);
  const sim::Timeline timeline = sim::Simulate(step.program).value();
  const sim::Duration idle = timeline.makespan - Busy(step, sim::ScriptId{0});
  // What is left is the first launch, and one after the host read the norm.
  EXPECT_LE(idle, sim::Nanoseconds(1));
  EXPECT_GE(idle, sim::Duration(0));
}

TEST_F(Lowering, ASlowHostBoundsTheStep) {
  models::TrainingSpec t = Training({}, 1);
  t.host.launch_microseconds = 1000;
  const LoweredStep step = Lower(t);
  const sim::Timeline timeline = sim::Simulate(step.program).value();
  // Every kernel is launched 1 ms after the one before: the step is as long as
  // the launches, and the norm and the update of 165 M gradients and
  // parameters, which follow a read-back and take some 2 ms.
  double launches = 0;
  for (const sim::Task& task : step.program.scripts[sim::ScriptId{0}].tasks) {
    const auto* kernel =
        std::get_if<models::MemoryBound>(step.ops[task.label].op.kernel());
    launches += kernel == nullptr ? 1 : kernel->kernels;
  }
  EXPECT_GE(sim::InSeconds(timeline.makespan), launches * 1e-3);
  EXPECT_LE(sim::InSeconds(timeline.makespan), launches * 1e-3 + 4e-3);
}

TEST_F(Lowering, GPipeAndOneForwardOneBackwardHaveTheSameBubble) {
  models::TrainingSpec t = Training({.pipeline = 4, .schedule = "gpipe"}, 8);
  t.overlap.pipeline = true;
  const double gpipe =
      sim::InSeconds(sim::Simulate(Lower(t).program).value().makespan);
  t.split.schedule = "1f1b";
  const double flush =
      sim::InSeconds(sim::Simulate(Lower(t).program).value().makespan);
  // (p-1)/(m+p-1) both; messages in flight move it by less than 3 %.
  EXPECT_NEAR(flush / gpipe, 1, 0.03);
}

TEST_F(Lowering, InterleavingShrinksTheBubble) {
  models::TrainingSpec t = Training({.pipeline = 4}, 8);
  t.overlap.pipeline = true;
  const auto plain = sim::Simulate(Lower(t).program).value().makespan;
  t.split.virtual_stages = 2;
  t.split.schedule = "interleaved-1f1b";
  EXPECT_LT(sim::Simulate(Lower(t).program).value().makespan, plain);
}

TEST_F(Lowering, ModelFlopsFollowMegatronsFormulaHoweverItIsSplit) {
  // Matrix weights: a layer h·(1 + 2/2 + 1)·h + 3·h·f, the head h·V; 6 FLOPs
  // for each and token; attention 12·s·h a token and layer, counted in full.
  const double h = 1024, f = 2816, v = 32000, s = 1024, tokens = 8 * s;
  const double weights = 8 * (3 * h * h + 3 * h * f) + h * v;
  for (const Split& split :
       {Split{.tensor = 2, .pipeline = 2, .data = 2},
        Split{.pipeline = 2, .schedule = "dualpipe", .data = 2},
        Split{.pipeline = 4, .virtual_stages = 2, .schedule = "zb-v",
              .data = 2},
        Split{.context = 4, .data = 2}, Split{.data = 2, .zero = 3}}) {
    models::TrainingSpec t = Training(split, 4);
    t.pad_vocab_to = 1;
    EXPECT_DOUBLE_EQ(Lower(t).model_flops.count(),
                     tokens * (6 * weights + 8 * 12 * s * h));
  }
}

}  // namespace
}  // namespace hardware
