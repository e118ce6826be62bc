#include "tests/scenarios/small_trace.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "scenarios/trace.h"
#include "sim/ledger.h"
#include "sim/program.h"
#include "sim/units.h"

namespace scenarios {
namespace {

using sim::AxisId;
using sim::GroupId;
using sim::Instant;
using sim::LabelId;
using sim::LaneId;
using sim::RankId;

enum Lane : uint8_t { kCompute, kTensor, kPipeline };
enum Axis : uint8_t { kTp, kForwardOut, kForwardIn, kBackwardOut, kBackwardIn };
enum Label : uint32_t { kGemm, kAllReduce, kForward, kBackward };

// Lists of tasks with their times, from which scripts and timeline are made.
struct Row {
  sim::Task task;
  Instant start, finish;
};

class Stage {
 public:
  void Add(Label label, Lane lane, AxisId axis, uint32_t pass, double start_us,
           double us) {
    issued_ += sim::Microseconds(2);
    sim::Task task;
    task.duration = sim::Microseconds(us);
    task.issue = issued_;
    task.label = LabelId{label};
    task.pass = pass;
    task.lane = LaneId{lane};
    task.axis = axis;
    // 999 ps into the nanosecond, which traces cut off.
    const Instant start{sim::Microseconds(start_us) + sim::Duration(999)};
    rows.push_back({task, start, start + task.duration});
  }
  std::vector<Row> rows;

 private:
  sim::Duration issued_;
};

std::vector<Stage> Stages() {
  std::vector<Stage> stages(2);
  for (uint32_t m = 0; m < kSmallTraceMicrobatches; ++m) {
    const double t = 100.0 * m;
    stages[0].Add(kGemm, kCompute, sim::kNoAxis, m, t, 10);
    stages[0].Add(kAllReduce, kTensor, AxisId{kTp}, m, t + 10, 4);
    stages[0].Add(kForward, kPipeline, AxisId{kForwardOut}, m, t + 14, 5);
    stages[1].Add(kForward, kPipeline, AxisId{kForwardIn}, m, t + 14, 5);
    stages[1].Add(kGemm, kCompute, sim::kNoAxis, m, t + 19, 10);
    stages[1].Add(kBackward, kPipeline, AxisId{kBackwardOut}, m, t + 50, 7);
    stages[0].Add(kBackward, kPipeline, AxisId{kBackwardIn}, m, t + 50, 7);
  }
  return stages;
}

sim::Script ScriptOf(const Stage& stage) {
  sim::Script script;
  for (const Row& row : stage.rows) script.Append(row.task);
  // 64 MiB of weights; 16 MiB at each gemm, gone after the last task.
  script.memory.push_back(
      {sim::TaskId{0}, sim::BufferId{0}, sim::MiB(64), sim::HolderId{0}});
  uint32_t buffers = 1;
  for (uint32_t task = 0; task < stage.rows.size(); ++task) {
    if (stage.rows[task].task.label != LabelId{kGemm}) continue;
    script.memory.push_back({sim::TaskId{task}, sim::BufferId{buffers++},
                             sim::MiB(16), sim::HolderId{0}});
  }
  const auto last = sim::AsId<sim::TaskId>(stage.rows.size() - 1);
  for (uint32_t buffer = 1; buffer < buffers; ++buffer) {
    script.memory.push_back(
        {last, sim::BufferId{buffer}, sim::Bytes(0), sim::HolderId{0}});
  }
  return script;
}

}  // namespace

SmallTrace::SmallTrace() {
  for (const char* lane : {"compute", "tp", "pp"}) program.lanes.Append(lane);
  for (const char* axis :
       {"tp", "forward out", "forward in", "backward out", "backward in"}) {
    program.axes.Append(axis);
  }
  for (const char* label :
       {"layer.0 \"qkv\"", "layer.0 tp sum", "activations", "gradients"}) {
    program.labels.Append(label);
  }
  program.holders.Append("everything");

  const std::vector<Stage> stages = Stages();
  for (const Stage& stage : stages) program.scripts.Append(ScriptOf(stage));
  // Ranks 0 and 1 are stage 0, 2 and 3 stage 1. Groups: the tensor pair of
  // stage 0, channels 0 -> 2 and 1 -> 3, channels 2 -> 0 and 3 -> 1.
  const std::vector<std::vector<RankId>> members = {{RankId{0}, RankId{1}},
                                                    {RankId{0}, RankId{2}},
                                                    {RankId{1}, RankId{3}},
                                                    {RankId{2}, RankId{0}},
                                                    {RankId{3}, RankId{1}}};
  for (const auto& group : members) program.members.Append(group);
  const GroupId none = sim::kNoGroup;
  const GroupId tp{0}, there0{1}, there1{2}, back0{3}, back1{4};
  const std::vector<std::vector<GroupId>> groups = {
      {tp, there0, none, none, back0},
      {tp, there1, none, none, back1},
      {none, none, there0, back0, none},
      {none, none, there1, back1, none}};
  timeline.offset = {0};
  for (uint32_t rank = 0; rank < 4; ++rank) {
    const Stage& stage = stages[rank / 2];
    program.script.Append(sim::ScriptId{rank / 2});
    program.groups.insert(program.groups.end(), groups[rank].begin(),
                          groups[rank].end());
    for (const Row& row : stage.rows) {
      timeline.starts.push_back(row.start);
      timeline.finishes.push_back(row.finish);
    }
    timeline.offset.push_back(timeline.starts.size());
    timeline.done.Append(stage.rows.back().finish);
  }

  for (const Arrow arrow : {Arrow::kAmong, Arrow::kLeave, Arrow::kArrive,
                            Arrow::kLeave, Arrow::kArrive}) {
    inputs.arrows.Append(arrow);
  }
  inputs.notes.Append({"gemm",
                       {{"flops", 1.5e12},
                        {"bytes", int64_t{1} << 40},
                        {"bound_by", "compute"}}});
  inputs.notes.Append({"tp",
                       {{kCollectiveNote, "all-reduce"},
                        {kAlgorithmNote, "ring"},
                        {kDTypeNote, "bf16"},
                        {kBytesNote, int64_t{8192}},
                        {kGroupSizeNote, int64_t{2}}}});
  for (int i = 0; i < 2; ++i) {
    inputs.notes.Append({"pp",
                         {{kCollectiveNote, "send-recv"},
                          {kBytesNote, int64_t{4096}},
                          {kGroupSizeNote, int64_t{2}}}});
  }
  for (uint32_t rank = 0; rank < 4; ++rank) {
    const sim::Script& script = program.scripts[sim::ScriptId{rank / 2}];
    inputs.ranks.push_back({RankId{rank}, rank * 8,
                            "rank " + std::to_string(rank * 8) + " · stage " +
                                std::to_string(rank / 2),
                            sim::Replay(script, 1, {.curve = true}).curve});
  }
  inputs.world_size = 32;
  inputs.device = "NVIDIA H100 80GB HBM3";
}

}  // namespace scenarios
