// Lowers a training step to a sim::Program: prices every operator once, plans
// the passes of each pipeline stage, and writes each stage's script.
//
//   LoweredStep step = LowerTraining(model, training, cost, cluster);
//   sim::Simulate(step.program);   // every rank; or sim::Fold first
//   step.ops[label].category;      // what a task's label stands for
#ifndef HARDWARE_LOWERING_H_
#define HARDWARE_LOWERING_H_

#include <array>
#include <string>
#include <vector>

#include "hardware/cluster.h"
#include "hardware/collective_cost.h"
#include "hardware/cost_model.h"
#include "hardware/rank_grid.h"
#include "models/model_spec.h"
#include "models/training.h"
#include "models/training_graph.h"
#include "sim/program.h"

namespace hardware {

// What a second of a rank's lane is spent on.
enum class Category : uint8_t {
  kGemm,
  kAttention,
  kMemoryBound,
  kOptimizer,  // everything of the step phase on the compute lane
  kTensor,     // communication, by what it is for
  kContext,
  kExpert,
  kData,
  kPipeline,
  kOffload,  // copies to and from the host, the CPU's work, drives
};
inline constexpr int kCategories = 10;
absl::string_view NameOf(Category category);
inline bool IsCommunication(Category c) { return c >= Category::kTensor; }

// An operator with its price; a label of the program stands for one.
struct PricedOp {
  models::Op op;
  int64_t stage = 0;
  Category category = Category::kGemm;
  sim::Duration time;  // alone on the device
  Bound bound = Bound::kCompute;
  sim::Flops flops;
  sim::Bytes bytes;              // HBM traffic, or what a collective moves
  CollectivePrice collective;    // of communications
  GroupShape group;              // likewise
  sim::UseId use = sim::kNoUse;  // of links, where the program has any
};

// Ranks that run one script: those of a stage, or, where experts are loaded
// unevenly, those of a part of the load (models/expert_split.h).
struct RankKind {
  int64_t stage = 0;
  size_t part = 0;
  int64_t ranks = 0;
};

struct LoweredStep {
  sim::Program program;
  sim::Column<sim::LabelId, PricedOp> ops;
  RankGrid grid;
  std::vector<RankKind> kinds;             // by script
  std::vector<models::StageGraph> stages;  // by script
  std::vector<models::Axis> axes;          // of the program's axes, in order
  // Of all ranks together, matrix products only, attention counted in full as
  // if not causal (the convention of Megatron and of PaLM, appendix B): without
  // and with what is recomputed. Without counts the rows that the router sends
  // to experts, however many they drop or fill up.
  sim::Flops model_flops, hardware_flops;
};

// REQUIRES: scenarios::Load's checks: the split divides the model and the batch
// and fills the cluster; the GPU supports the precision; the schedule exists.
LoweredStep LowerTraining(const models::ModelSpec& model,
                          const models::TrainingSpec& training,
                          const CostModel& cost, const Cluster& cluster);

}  // namespace hardware

#endif  // HARDWARE_LOWERING_H_
