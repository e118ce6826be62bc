// A question about serving, wholly checked: what Serve (serving_run.h) runs.
//
//   absl::StatusOr<ServingInputs> inputs = LoadServing("llama3-8b-vllm");
//   inputs->pools[0].memory.blocks;  // 26,000 of 16 tokens
//
// A value, but for the workload, which is shared and never changes.
#ifndef SCENARIOS_SERVING_INPUTS_H_
#define SCENARIOS_SERVING_INPUTS_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hardware/cluster.h"
#include "hardware/cost_model.h"
#include "hardware/serving_cost.h"
#include "models/model_spec.h"
#include "models/serving.h"
#include "scenarios/inputs.h"
#include "scenarios/scenario_file.h"
#include "scenarios/workload.h"
#include "sim/serving/fleet.h"

namespace scenarios {

// Of each GPU of an engine.
struct EngineMemory {
  sim::Bytes capacity = {}, weights = {}, activations = {}, overhead = {}, cache = {};
  int64_t blocks = 0;  // of the key-value cache
  // What is missing for a single block; 0: it fits.
  sim::Bytes missing = {};
};

// Engines that are alike.
struct ServingPool {
  std::string name = {};
  models::ModelSpec model = {};
  hardware::Cluster cluster = {};
  hardware::CostModel cost = {};
  models::ServingSpec spec = {};
  hardware::EngineHost host = {};
  sim::EnginePolicy policy = {};
  sim::KvPool::Options cache = {};
  sim::Role role = sim::Role::kBoth;
  uint32_t model_index = 0;  // Request::model
  int64_t replicas = 1;
  EngineMemory memory = {};
  // Who writes drafts, and as how large a model; none: at no cost.
  std::optional<models::ModelSpec> draft = {};
  sim::Duration cold_start = {};
  sim::Duration admit = {}, admit_token = {};  // of its front end

  int64_t gpus() const { return spec.tensor * spec.pipeline; }
};

struct Objective {
  std::string name = {};
  std::optional<double> ttft_seconds, tpot_seconds, e2e_seconds;
  double attainment = 0.99;
  double share = 1;  // of the requests, over those of all
  int priority = 0;  // lower goes first
};

struct ServingInputs {
  std::string name = {}, profile = {};
  std::vector<ServingPool> pools = {};
  sim::RouterKind router = sim::RouterKind::kLeastOutstanding;
  sim::Autoscaling autoscaling = {};
  std::vector<sim::Failure> failures = {};
  int64_t max_queue = 0;
  uint64_t seed = 1;
  sim::Duration request_overhead = {};  // of a request's way in and out
  std::shared_ptr<const WorkloadMaker> workload = {};
  proto::Workload::Exclude exclude = {};
  std::vector<double> model_shares = {};  // of the requests; empty: equal
  std::vector<Objective> objectives = {};
  sim::Duration interval = {};  // 0: no time series
  sim::Duration most = sim::kForever;
  std::optional<double> gpu_hour_usd = {};
  double power_usage_effectiveness = 1;

  int64_t gpus() const;  // of all engines that start
};

absl::StatusOr<ServingInputs> LoadServing(const std::string& path,
                                          std::span<const std::string> sets = {});
// What a scenario that has been read asks for. REQUIRES: it has `serving`.
absl::StatusOr<ServingInputs> ServingInputsOf(const ScenarioFile& scenario);

}  // namespace scenarios

#endif  // SCENARIOS_SERVING_INPUTS_H_
