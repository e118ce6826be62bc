// Folding changes no answer: every scenario of the library, cut down to at most
// 16 GPUs, runs the same with one rank of each class as with all of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "scenarios/answer.h"
#include "scenarios/load.h"
#include "scenarios/report.h"
#include "scenarios/run.h"
#include "scenarios/scenario_file.h"
#include "scenarios/trace_kineto.h"
#include "scenarios/trace_of_run.h"
#include "tests/scenarios/trace_processor.h"
#include "tests/scenarios/library_names.h"

namespace scenarios {
namespace {

using models::Split;

// At most two-way tensor, two-way context and four-way pipeline parallel with
// two chunks in a stage, and replicas on what is left of 16 GPUs; a layer or
// two in each chunk, one less at uneven ends.
Inputs Small(Inputs inputs) {
  Split& split = inputs.training.split;
  split.tensor = std::min<int64_t>(split.tensor, 2);
  const bool hybrid = split.context_kind == models::ContextKind::kHybrid;
  split.context = std::min<int64_t>(split.context, hybrid ? 4 : 2);
  split.context_inner = std::min<int64_t>(split.context_inner, 2);
  split.pipeline = std::min<int64_t>(split.pipeline, 4);
  split.virtual_stages = std::min<int64_t>(split.virtual_stages, 2);
  const int64_t replica = split.tensor * split.context * split.pipeline;
  split.data = std::min<int64_t>(split.data, 16 / replica);
  if (split.shard_group > 0) split.shard_group = split.data / 2;
  split.expert = std::min(split.expert, split.stage_ranks());

  const int64_t chunks = split.pipeline * split.virtual_stages;
  inputs.model.layers = 2 * chunks;
  if (!split.chunk_layers.empty()) {
    split.chunk_layers.assign(static_cast<size_t>(chunks), 2);
    --split.chunk_layers.front();
    --split.chunk_layers.back();
    inputs.model.layers -= 2;
  }
  inputs.training.recompute_layers =
      std::min<int64_t>(inputs.training.recompute_layers, inputs.model.layers);
  inputs.training.global_batch =
      2 * split.pipeline * inputs.training.micro_batch * split.data;

  hardware::Cluster& cluster = inputs.cluster;
  const auto ranks = static_cast<int>(split.ranks());
  cluster.gpus_per_node = std::min(cluster.gpus_per_node, ranks);
  cluster.nodes = ranks / cluster.gpus_per_node;
  return inputs;
}

class Folded : public testing::TestWithParam<std::string> {
 protected:
  const Inputs inputs_ = Small(Load(GetParam()).value());
};

void ExpectFoldsToTheSameTimes(const Inputs& inputs) {
  const Outcome folded = Execute(inputs).value();
  const sim::Program& whole = folded.lowered.program;
  const sim::Timeline timeline = sim::Simulate(whole).value();
  EXPECT_EQ(folded.timeline.makespan, timeline.makespan);
  for (size_t row = 0; row < whole.script.size(); ++row) {
    const auto rank = sim::AsId<sim::RankId>(row);
    const sim::RankId kind = folded.folding.folded[rank];
    ASSERT_EQ(folded.timeline.done[kind], timeline.done[rank]) << row;
    EXPECT_TRUE(
        std::ranges::equal(folded.timeline.start(kind), timeline.start(rank)))
        << row;
    EXPECT_TRUE(
        std::ranges::equal(folded.timeline.finish(kind), timeline.finish(rank)))
        << row;
  }
}

TEST_P(Folded, EveryTaskOfEveryRankRunsAsInTheWholeProgram) {
  ExpectFoldsToTheSameTimes(inputs_);
}

TEST_P(Folded, SoItDoesWhereCommunicationsShareLinks) {
  Inputs inputs = inputs_;
  inputs.training.overlap.link_contention = true;
  ExpectFoldsToTheSameTimes(inputs);
}

TEST_P(Folded, TheReportIsThatOfTheWholeRun) {
  const Report folded = Summarize(inputs_, Execute(inputs_).value());
  const Report whole =
      Summarize(inputs_, Execute(inputs_, {.unfold = true}).value());
  EXPECT_LE(folded.simulated_ranks(), whole.simulated_ranks());
  EXPECT_EQ(ToText(folded), ToText(whole));
}

TEST_P(Folded, ATraceBesideItChangesNoReport) {
  const Report report = Summarize(inputs_, Execute(inputs_).value());
  const Outcome outcome = Execute(inputs_, {.memory_curve = true}).value();
  const TraceInputs trace = TraceOf(inputs_, outcome, {}).value();
  ASSERT_TRUE(WriteKineto(trace, Scratch(GetParam() + ".json")).ok());
  EXPECT_EQ(ToJson(Summarize(inputs_, outcome)), ToJson(report));
}

std::string TestName(const testing::TestParamInfo<std::string>& name) {
  std::string text = name.param;
  for (char& c : text) c = c == '-' || c == '.' ? '_' : c;
  return text;
}

INSTANTIATE_TEST_SUITE_P(Library, Folded, testing::ValuesIn(LibraryOf(Question::kTraining)),
                         TestName);

}  // namespace
}  // namespace scenarios
