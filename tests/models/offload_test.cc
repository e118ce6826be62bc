#include "models/offload.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "models/data_parallel.h"
#include "models/host_update.h"
#include "models/training_graph.h"
#include "tests/models/small_models.h"

namespace models {
namespace {

// ZeRO-Offload on four ranks: FP16 gradients, as DeepSpeed keeps them.
TrainingSpec ZeroOffload(int zero) {
  TrainingSpec t;
  t.sequence_length = 1024;
  t.global_batch = 8;
  t.split.data = 4;
  t.split.zero = zero;
  t.fp32_gradients = t.fp32_grad_reduce = false;
  t.pad_vocab_to = 1;
  t.offload.optimizer = OffloadDevice::kCpu;
  t.offload.gradients = zero >= 2;
  return t;
}

StageGraph Stage(const TrainingSpec& t) {
  const ModelSpec m = PlainLayers(2);
  return BuildStage(m, t, ChunksOf(m, t.split)[0]);
}

int64_t Moved(const OpGraph& graph, absl::string_view name, When when) {
  int64_t bytes = 0;
  for (const Op& op : graph.ops) {
    if (op.name != name || op.when != when) continue;
    bytes += op.collective()->bytes.count();
  }
  return bytes;
}

TEST(Offload, GradientsLeaveEachMicrobatchAndAreSummedOnTheDevice) {
  const TrainingSpec t = ZeroOffload(2);
  const StageGraph stage = Stage(t);
  // A quarter of the parameters, 2 bytes each; the host's sum comes back for all
  // microbatches but the first.
  const auto part = static_cast<double>(stage.parameters.total()) / 4 * 2;
  const OpGraph& chunk = stage.chunks[0];
  EXPECT_NEAR(static_cast<double>(Moved(chunk, "offload gradients", When::kAlways)),
              part, 4);
  EXPECT_NEAR(
      static_cast<double>(Moved(chunk, "fetch gradients", When::kAfterFirst)),
      part, 4);
  EXPECT_EQ(stage.resident[static_cast<size_t>(Holder::kGradients)],
            sim::Bytes(0));
  EXPECT_EQ(stage.resident[static_cast<size_t>(Holder::kOptimizerState)],
            sim::Bytes(0));
}

TEST(Offload, GradientsThatStayLeaveAfterTheLastMicrobatch) {
  const StageGraph stage = Stage(ZeroOffload(1));
  const OpGraph& chunk = stage.chunks[0];
  EXPECT_EQ(Moved(chunk, "offload gradients", When::kAlways), 0);
  EXPECT_GT(Moved(chunk, "offload gradients", When::kLastMicrobatch), 0);
  EXPECT_EQ(stage.resident[static_cast<size_t>(Holder::kGradients)].count(),
            2 * stage.parameters.total());
}

TEST(Offload, OneGpuOffloadsWithoutACollective) {
  TrainingSpec t = ZeroOffload(2);
  t.split.data = 1;
  t.global_batch = 1;
  const StageGraph stage = Stage(t);
  for (const Op& op : stage.chunks[0].ops) {
    if (op.collective() != nullptr) {
      EXPECT_TRUE(IsOnHost(op.collective()->axis)) << op.name;
    }
  }
  EXPECT_EQ(Moved(stage.chunks[0], "offload gradients", When::kAlways),
            2 * stage.parameters.total());
}

TEST(Offload, TheHostHolds16BytesAParameterAndSums) {
  TrainingSpec t = ZeroOffload(2);
  const HeldParameters held{.all = {.dense = 4'000'000},
                            .trained = {.dense = 4'000'000}};
  // A million of a rank: FP32 weights, two moments and FP32 gradients, 16 bytes;
  // 2 bytes of sums over microbatches.
  EXPECT_EQ(OffDeviceOf(t, held).host, sim::Bytes(18'000'000));
  EXPECT_EQ(OffDeviceOf(t, held).disk, sim::Bytes(0));
  // Half of the optimizer.
  t.offload.gradients = false;
  t.offload.optimizer_fraction = 0.5;
  EXPECT_EQ(OffDeviceOf(t, held).host, sim::Bytes(8'000'000));
  EXPECT_EQ(HeldBytes(t, held, Holder::kOptimizerState), sim::Bytes(6'000'000));
}

TEST(Offload, DrivesHoldStateGradientsAndWeights) {
  TrainingSpec t = ZeroOffload(3);
  t.offload.optimizer = OffloadDevice::kNvme;
  t.offload.parameters = OffloadDevice::kNvme;
  t.offload.sub_group_size = 250'000;
  const HeldParameters held{.all = {.dense = 4'000'000},
                            .trained = {.dense = 4'000'000}};
  // Drives: 12 + 4 bytes of state and gradients, 2 of weights. Host: a group of
  // 16 bytes each, sums of 2, and the weights' buffers, all of them here.
  EXPECT_EQ(OffDeviceOf(t, held).disk, sim::Bytes(18'000'000));
  EXPECT_EQ(OffDeviceOf(t, held).host,
            sim::Bytes(16 * 250'000 + 2'000'000 + 2'000'000));
  EXPECT_EQ(HeldBytes(t, held, Holder::kWeights), sim::Bytes(0));
}

TEST(Offload, FetchesItsShardBeforeGatheringAUnit) {
  TrainingSpec t = ZeroOffload(3);
  t.offload.parameters = OffloadDevice::kCpu;
  const OpGraph graph = Stage(t).chunks[0];
  int64_t fetched = 0, gathered = 0;
  for (size_t row = 0; row < graph.ops.size(); ++row) {
    const Op& op = graph.ops[sim::AsId<OpId>(row)];
    if (op.name == "fetch weights") fetched += op.collective()->bytes.count();
    if (op.name != "gather weights") continue;
    gathered += op.collective()->bytes.count();
    ASSERT_GT(row, 0u);
    EXPECT_EQ(graph.ops[sim::AsId<OpId>(row - 1)].name, "fetch weights");
    EXPECT_FALSE(graph.needs[sim::AsId<OpId>(row)].empty());
  }
  EXPECT_NEAR(static_cast<double>(4 * fetched), static_cast<double>(gathered),
              32);
}

TEST(HostUpdate, PassesOverStateOnce) {
  TrainingSpec t = ZeroOffload(2);
  // Adam: gradient, weights and two moments read, 16 bytes, the last three
  // written, 12; cast 4 + 2; clipping 4 + 4.
  EXPECT_EQ(HostUpdateBytes(t), 28 + 6 + 8);
  t.gradient_clipping = false;
  EXPECT_EQ(HostUpdateBytes(t), 28 + 6);
  t.offload.fp32_parameters = true;
  EXPECT_EQ(HostUpdateBytes(t), 28);
  // PyTorch's operators: 28 x 14.76 / 2.57 = 160.8.
  t.kernels.fused_optimizer = false;
  EXPECT_EQ(HostUpdateBytes(t), 161);
}

std::vector<std::string> Names(const OpGraph& graph) {
  std::vector<std::string> names;
  for (const Op& op : graph.ops) names.emplace_back(op.name);
  return names;
}

TEST(HostUpdate, SendsEachGroupWhileTheNextIsUpdated) {
  TrainingSpec t = ZeroOffload(2);
  t.offload.sub_group_size = 100;
  OpGraphBuilder b;
  b.SetPhase(Phase::kStep);
  UpdateOnHost(t, 250, &b);
  const OpGraph graph = std::move(b).Build().value();
  EXPECT_EQ(Names(graph),
            (std::vector<std::string>{"update", "fetch updated weights",
                                      "update", "fetch updated weights",
                                      "update", "fetch updated weights"}));
  EXPECT_EQ(graph.ops[OpId{5}].collective()->bytes, sim::Bytes(100));
  // An update waits for no copy.
  EXPECT_TRUE(graph.needs[OpId{2}].empty());
}

TEST(HostUpdate, DrivesReadTheNextGroupBeforeTheyWriteTheLast) {
  TrainingSpec t = ZeroOffload(3);
  t.offload.optimizer = t.offload.parameters = OffloadDevice::kNvme;
  t.offload.sub_group_size = 100;
  t.offload.pipeline_read = t.offload.pipeline_write = true;
  OpGraphBuilder b;
  b.SetPhase(Phase::kStep);
  UpdateOnHost(t, 200, &b);
  const OpGraph graph = std::move(b).Build().value();
  EXPECT_EQ(Names(graph),
            (std::vector<std::string>{"read state", "read state", "update",
                                      "write state", "write weights", "update",
                                      "write state", "write weights"}));
  // 12 bytes of state and 4 of gradients in, 12 out.
  EXPECT_EQ(graph.ops[OpId{0}].collective()->bytes, sim::Bytes(1600));
  EXPECT_EQ(graph.ops[OpId{3}].collective()->bytes, sim::Bytes(1200));
}

TEST(HostUpdate, DelayedRunsUnderTheFirstForwardPass) {
  TrainingSpec t = ZeroOffload(2);
  t.offload.delayed_update = true;
  const StageGraph stage = Stage(t);
  const Op& first = stage.chunks[0].ops[OpId{0}];
  EXPECT_EQ(first.name, "update");
  EXPECT_EQ(first.when, When::kFirstMicrobatch);
  for (const Op& op : stage.step.ops) EXPECT_NE(op.name, "update");
}

}  // namespace
}  // namespace models
