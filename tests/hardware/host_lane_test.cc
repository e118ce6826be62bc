// The host as the lane that bounds a step: launches one by one, as graphs, and
// work between passes and steps.
#include <gtest/gtest.h>

#include "hardware/lowering.h"
#include "models/load_model.h"
#include "sim/engine.h"

namespace hardware {
namespace {

constexpr int kLayers = 4, kMicrobatches = 3;

// Four narrow layers on an H100, a sequence of 256 tokens at a time: kernels of
// a few microseconds.
class HostLane : public testing::Test {
 protected:
  HostLane()
      : cost_(*CostModel::Load("h100-sxm-80gb")),
        cluster_(*LoadCluster("h100-1x")) {
    model_ = *models::LoadModel("gpt2");
    model_.layers = kLayers;
    training_.sequence_length = 256;
    training_.global_batch = kMicrobatches;
    training_.host.launch_microseconds = 50;
  }

  LoweredStep Lower() const {
    return LowerTraining(model_, training_, cost_, cluster_);
  }
  double Seconds() const {
    return sim::InSeconds(sim::Simulate(Lower().program).value().makespan);
  }
  // Launches of the passes, of the step, and of what no layer has.
  struct Launches {
    int passes = 0, step = 0, outside = 0;
  };
  Launches Count() const {
    Launches launches;
    const LoweredStep step = Lower();
    for (const sim::Task& task : step.program.scripts[sim::ScriptId{0}].tasks) {
      const models::Op& op = step.ops[task.label].op;
      const int n =
          op.kernel() == nullptr ? 1 : models::LaunchesOf(*op.kernel());
      const bool of_step = op.phase == models::Phase::kStep;
      (of_step ? launches.step : launches.passes) += n;
      if (!of_step && op.layer < 0) launches.outside += n;
    }
    return launches;
  }

  CostModel cost_;
  Cluster cluster_;
  models::ModelSpec model_;
  models::TrainingSpec training_;
};

TEST_F(HostLane, BoundsAStepOfSmallKernels) {
  const Launches n = Count();
  // 50 us a launch, and at the end the kernels behind the read-back of the norm,
  // some of which the host is ahead of.
  EXPECT_GE(Seconds(), (n.passes + n.step) * 50e-6);
  EXPECT_LE(Seconds(), (n.passes + n.step) * 50e-6 + 1e-3);
}

TEST_F(HostLane, LaunchesAGraphForEachLayerAndPass) {
  training_.host.cuda_graphs = true;
  training_.host.graph_microseconds = 1000;  // so that the host still bounds it
  const Launches n = Count();
  const double host = (n.outside + n.step) * 50e-6 +
                      kMicrobatches * 2 * kLayers * 1000e-6;
  EXPECT_GE(Seconds(), host);
  EXPECT_LE(Seconds(), host + 2e-3);
}

TEST_F(HostLane, LaunchesOneGraphOfAWholeIteration) {
  const double alone = Seconds();
  training_.host.cuda_graphs = true;
  training_.host.whole_iteration = true;
  training_.host.graph_microseconds = 10;
  const double graph = Seconds();
  EXPECT_LT(graph, alone / 3);
  // Nothing of the passes is left to the host but the graph's one launch.
  training_.host.graph_microseconds = 1010;
  EXPECT_NEAR(Seconds(), graph + 1e-3, 1e-9);
  training_.host.pass_microseconds = 5000;
  EXPECT_NEAR(Seconds(), graph + 1e-3, 1e-9);
}

TEST_F(HostLane, WorksBeforeEachPass) {
  const double before = Seconds();
  training_.host.pass_microseconds = 300;
  // Forward and backward of three microbatches.
  EXPECT_NEAR(Seconds(), before + 6 * 300e-6, 1e-5);
}

TEST_F(HostLane, BetweenStepsRunsUnderTheTailOfTheStep) {
  const double before = Seconds();
  training_.host.step_microseconds = 20'000;
  const double after = Seconds();
  // The host is free when it has launched the update; what the device still has
  // to run is less than a millisecond.
  EXPECT_LE(after, before + 20.1e-3);
  EXPECT_GE(after, before + 19e-3);
}

TEST_F(HostLane, DefaultsCostNothing) {
  const double before = Seconds();
  training_.host.whole_iteration = true;  // without graphs
  EXPECT_EQ(Seconds(), before);
}

}  // namespace
}  // namespace hardware
