// A question, wholly checked: what Execute (run.h) simulates.
//
//   absl::StatusOr<Inputs> inputs = Load("llama3-70b.textproto");
//   inputs->training.split.data;  // 64 GPUs / (tensor 8 x pipeline 4) = 2
//
// A value: copy it, edit a field, compare. To ask something new of scenarios:
// a field in scenario.proto, one here, and its check in load.cc.
#ifndef SCENARIOS_INPUTS_H_
#define SCENARIOS_INPUTS_H_

#include <optional>
#include <string>

#include "hardware/cluster.h"
#include "hardware/cost_model.h"
#include "models/model_spec.h"
#include "models/training.h"

namespace scenarios {

// What a whole training run takes.
struct Horizon {
  std::optional<double> tokens;          // > 0
  std::optional<double> budget_usd;      // > 0
  std::optional<double> gpu_hour_usd;    // USD for one GPU and hour, > 0
  double power_usage_effectiveness = 1;  // >= 1
};

// What was measured for this scenario: at least one figure is there, and at
// most one of the two speeds.
struct Measured {
  std::optional<double> step_seconds;
  std::optional<double> tokens_per_second_per_gpu;
  std::optional<double> peak_allocated_gib = {}, peak_reserved_gib = {};
  std::string source;
  // Of runs that are the same work, split in different ways; empty: of none.
  std::string series = {};
};

struct Inputs {
  std::string name;
  models::ModelSpec model;
  hardware::Cluster cluster;
  hardware::CostModel cost;  // of kernels on the cluster's GPU
  models::TrainingSpec training;
  std::string profile;  // "megatron-core"
  Horizon horizon;
  std::optional<Measured> measured;
};

}  // namespace scenarios

#endif  // SCENARIOS_INPUTS_H_
