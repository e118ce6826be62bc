#include "hardware/lowering.h"

#include <algorithm>

#include "hardware/pricing.h"
#include "hardware/script_writer.h"
#include "models/schedules/schedule.h"

namespace hardware {
namespace {

using models::Axis;

// Axes on which some stage communicates, in enum order.
std::vector<Axis> AxesOf(const std::vector<models::StageGraph>& stages) {
  std::array<bool, models::kAxes> used{};
  const auto mark = [&](const models::OpGraph& graph) {
    for (const models::Op& op : graph.ops) {
      if (const models::Collective* c = op.collective()) {
        used[static_cast<size_t>(c->axis)] = true;
      }
    }
  };
  for (const models::StageGraph& stage : stages) {
    for (const models::OpGraph& chunk : stage.chunks) mark(chunk);
    mark(stage.step);
  }
  std::vector<Axis> axes;
  for (int axis = 0; axis < models::kAxes; ++axis) {
    if (used[static_cast<size_t>(axis)])
      axes.push_back(static_cast<Axis>(axis));
  }
  return axes;
}

// One lane for compute, one for each axis.
ScriptWriter::Rows NameRows(const std::vector<Axis>& axes,
                            sim::Program* program) {
  ScriptWriter::Rows rows;
  rows.lane_of[0] = program->lanes.Append("compute");
  for (size_t row = 0; row < axes.size(); ++row) {
    const auto axis = static_cast<size_t>(axes[row]);
    rows.lane_of[1 + axis] =
        program->lanes.Append(std::string(models::NameOf(axes[row])));
    rows.axis_of[axis] = sim::AsId<sim::AxisId>(row);
  }
  for (int holder = 0; holder < models::kHolders; ++holder) {
    program->holders.Append(
        std::string(models::NameOf(static_cast<models::Holder>(holder))));
  }
  return rows;
}

// Of the FLOPs of a fused backward kernel, those a materialised one runs too:
// dP, dV, dQ and dK, without the scores.
double MaterialisedShare(const models::Attention& a, double flops) {
  const auto qk = static_cast<double>(a.head_dim);
  const auto v = static_cast<double>(a.value_head_dim);
  return flops * (2 * qk + 2 * v) / (3 * qk + 2 * v);
}

// Matrix FLOPs of a microbatch on one rank of a stage.
void CountFlops(const models::StageGraph& stage, double* model,
                double* hardware) {
  for (const models::OpGraph& chunk : stage.chunks) {
    for (const models::Op& op : chunk.ops) {
      if (op.kernel() == nullptr) continue;
      const double flops = models::MatrixFlops(*op.kernel(), false).count();
      *hardware += flops;
      // Fused attention's backward pass computes the scores again; model FLOPs
      // count the four products that a materialised one would run.
      const auto* attention = std::get_if<models::Attention>(op.kernel());
      const bool again = attention != nullptr && attention->backward;
      const double share = again ? MaterialisedShare(*attention, flops) : flops;
      if (!op.recompute) *model += share;
    }
  }
}

}  // namespace

absl::string_view NameOf(Category category) {
  constexpr absl::string_view kNames[] = {
      "gemm", "attention", "memory-bound", "optimizer", "tp", "cp", "dp", "pp"};
  return kNames[static_cast<size_t>(category)];
}

LoweredStep LowerTraining(const models::ModelSpec& model,
                          const models::TrainingSpec& training,
                          const CostModel& cost, const Cluster& cluster) {
  const models::Split& split = training.split;
  LoweredStep lowered{.program = {},
                      .ops = {},
                      .grid = RankGrid(split),
                      .stages = {},
                      .axes = {},
                      .model_flops = {},
                      .hardware_flops = {}};
  for (const auto& chunks : models::ChunksOf(model, split)) {
    lowered.stages.push_back(models::BuildStage(model, training, chunks));
  }
  lowered.axes = AxesOf(lowered.stages);
  const ScriptWriter::Rows rows = NameRows(lowered.axes, &lowered.program);
  lowered.grid.FillGroups(lowered.axes, &lowered.program);

  const models::Plan plan =
      models::FindSchedule(split.schedule)
          ->plan({.stages = split.pipeline,
                  .chunks = split.virtual_stages,
                  .microbatches = training.microbatches()});
  const CostModel loaded = cost.InTraining();
  const Cluster busy = cluster.InTraining();
  double model_flops = 0, hardware_flops = 0;
  for (int64_t stage = 0; stage < split.pipeline; ++stage) {
    const StageLabels labels = PriceStage(stage, loaded, busy, &lowered);
    const models::StageGraph& graphs =
        lowered.stages[static_cast<size_t>(stage)];
    lowered.program.scripts.Append(
        ScriptWriter(training, graphs, labels, lowered.ops, rows)
            .Write(plan[static_cast<size_t>(stage)]));
    CountFlops(graphs, &model_flops, &hardware_flops);
  }
  const auto copies = static_cast<double>(
      training.microbatches() * split.tensor * split.context * split.data);
  lowered.model_flops = sim::Flops(model_flops * copies);
  lowered.hardware_flops = sim::Flops(hardware_flops * copies);
  for (int64_t rank = 0; rank < split.ranks(); ++rank) {
    lowered.program.script.Append(sim::AsId<sim::ScriptId>(
        static_cast<size_t>(lowered.grid.Place(rank).stage)));
  }
  return lowered;
}

}  // namespace hardware
