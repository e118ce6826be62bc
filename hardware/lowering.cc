#include "hardware/lowering.h"

#include <algorithm>

#include "hardware/link_uses.h"
#include "hardware/pricing.h"
#include "hardware/script_writer.h"
#include "models/expert_split.h"
#include "models/schedules/split_backward.h"

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
      if (op.beside) used[static_cast<size_t>(*op.beside)] = true;
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

// Matrix FLOPs of a microbatch on one rank of a stage, to whose experts the
// router sends `rows` rows on average.
void CountFlops(const models::StageGraph& stage, int64_t rows, double* model,
                double* hardware) {
  for (const models::OpGraph& chunk : stage.chunks) {
    for (const models::Op& op : chunk.ops) {
      if (op.kernel() == nullptr) continue;
      const double flops = models::MatrixFlops(*op.kernel(), false).count();
      *hardware += flops;
      if (op.recompute) continue;
      // Fused attention's backward pass computes the scores again; model FLOPs
      // count the four products that a materialised one would run.
      const auto* attention = std::get_if<models::Attention>(op.kernel());
      const bool again = attention != nullptr && attention->backward;
      const auto* grouped = std::get_if<models::GroupedGemm>(op.kernel());
      if (grouped != nullptr) {
        *model += 2 * static_cast<double>(rows) *
                  static_cast<double>(grouped->n) *
                  static_cast<double>(grouped->k);
      } else {
        *model += again ? MaterialisedShare(*attention, flops) : flops;
      }
    }
  }
}

bool HasExperts(const models::ModelSpec& model,
                const std::vector<models::Chunk>& chunks) {
  for (const models::Chunk& chunk : chunks) {
    for (int64_t i = 0; i < chunk.layers; ++i) {
      if (model.IsExpertLayer(chunk.first_layer + i)) return true;
    }
    if (chunk.head && model.mtp_depth > 0 &&
        model.IsExpertLayer(model.layers - 1)) {
      return true;
    }
  }
  return false;
}

// The kinds of ranks by stage, and their graphs.
void BuildKinds(const models::ModelSpec& model,
                const models::TrainingSpec& training,
                const models::ExpertSplit& load, LoweredStep* lowered) {
  const models::Split& split = training.split;
  int64_t stage = 0;
  for (const auto& chunks : models::ChunksOf(model, split)) {
    const bool apart = load.parts() > 1 && HasExperts(model, chunks);
    for (size_t part = 0; part < (apart ? load.parts() : 1); ++part) {
      const int64_t share = apart ? load.part(part).ranks : split.expert;
      lowered->kinds.push_back(
          {.stage = stage,
           .part = part,
           .ranks = split.stage_ranks() / split.expert * share});
      lowered->stages.push_back(
          models::BuildStage(model, training, chunks, part));
    }
    ++stage;
  }
}

// Which script each rank runs.
void AssignScripts(const models::ExpertSplit& load, LoweredStep* lowered) {
  std::vector<size_t> first;  // script of each stage
  for (size_t kind = 0; kind < lowered->kinds.size(); ++kind) {
    if (lowered->kinds[kind].part == 0) first.push_back(kind);
  }
  first.push_back(lowered->kinds.size());
  for (int64_t rank = 0; rank < lowered->grid.ranks(); ++rank) {
    const auto stage = static_cast<size_t>(lowered->grid.Place(rank).stage);
    size_t script = first[stage];
    if (first[stage + 1] - script > 1) {
      script += load.PartOf(lowered->grid.ExpertPlaceOf(rank).expert);
    }
    lowered->program.script.Append(sim::AsId<sim::ScriptId>(script));
  }
}

}  // namespace

absl::string_view NameOf(Category category) {
  constexpr absl::string_view kNames[] = {
      "gemm", "attention", "memory-bound", "optimizer", "tp",
      "cp",   "ep",        "dp",           "pp",
      "offload"};
  return kNames[static_cast<size_t>(category)];
}

LoweredStep LowerTraining(const models::ModelSpec& model,
                          const models::TrainingSpec& training,
                          const CostModel& cost, const Cluster& cluster) {
  const models::Split& split = training.split;
  LoweredStep lowered{.program = {},
                      .ops = {},
                      .grid = RankGrid(split),
                      .kinds = {},
                      .stages = {},
                      .axes = {},
                      .model_flops = {},
                      .hardware_flops = {}};
  const models::ExpertSplit load(model, training);
  BuildKinds(model, training, load, &lowered);
  lowered.axes = AxesOf(lowered.stages);
  const ScriptWriter::Rows rows_of = NameRows(lowered.axes, &lowered.program);
  lowered.grid.FillGroups(lowered.axes, &lowered.program);
  if (training.overlap.link_contention) NameLinks(&lowered.program);

  const models::Pipeline pipeline = split.PipelineOf(training.microbatches());
  models::Plan plan = split.PlanOf(training.microbatches());
  if (training.overlap.delay_weight_gradients) plan = SplitBackward(plan);
  const CostModel loaded = cost.InTraining();
  const Cluster busy = cluster.InTraining();
  const int64_t rows = load.routed() * split.parts_of_expert();
  double model_flops = 0, hardware_flops = 0;
  for (size_t script = 0; script < lowered.kinds.size(); ++script) {
    const StageLabels labels = PriceStage(script, loaded, busy, &lowered);
    const models::StageGraph& graphs = lowered.stages[script];
    const RankKind& kind = lowered.kinds[script];
    lowered.program.scripts.Append(
        ScriptWriter(training, graphs, labels, lowered.ops, rows_of)
            .Write(plan[static_cast<size_t>(kind.stage)]));
    double model_each = 0, hardware_each = 0;
    CountFlops(graphs, rows, &model_each, &hardware_each);
    const auto passes =
        static_cast<double>(models::MicrobatchesOf(pipeline) * kind.ranks);
    model_flops += model_each * passes;
    hardware_flops += hardware_each * passes;
  }
  lowered.model_flops = sim::Flops(model_flops);
  lowered.hardware_flops = sim::Flops(hardware_flops);
  AssignScripts(load, &lowered);
  return lowered;
}

}  // namespace hardware
