// Ways to lay the same GPUs out for one question about serving, each with the
// load that it takes.
//
//   auto all = CompareDeployments("a.textproto", {}, {.gpus = 8});
//   all->front().choice.Text();    // "tp 2 x 4, 8192 tokens a step"
//   all->front().load_per_gpu();   // the best
//
// Tried: tensor 1, 2, 4 … within a server, pipeline 1 and 2, as many replicas
// as fill the GPUs; with all replicas alike, and with a quarter, half and three
// quarters of them for prompts alone. The best three of these are tried with
// other max_num_batched_tokens too; those within a tenth of the best are sought
// to the full, the others with few requests. Each is read anew, so that whatever
// a scenario is checked for is checked.
//
// To add a thing to vary: a field in DeploymentChoice, where Sets writes it.
#ifndef SCENARIOS_DEPLOYMENTS_H_
#define SCENARIOS_DEPLOYMENTS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "scenarios/capacity.h"
#include "scenarios/scenario_file.h"

namespace scenarios {

struct DeploymentChoice {
  int64_t tensor = 1, pipeline = 1, replicas = 1;
  int64_t prefill = 0;  // of the replicas, for prompts alone; 0: all for both
  int64_t max_num_batched_tokens = 8192;

  int64_t gpus() const { return tensor * pipeline * replicas; }
  std::vector<std::string> Sets() const;  // as --set takes them
  std::string Text() const;
  friend bool operator==(const DeploymentChoice&,
                         const DeploymentChoice&) = default;
};

struct Deployment {
  DeploymentChoice choice = {};
  Capacity capacity = {};
  Limit limit = {};     // of the load beyond its own
  std::string why = {};  // in words

  double load() const { return capacity.at ? capacity.at->load : 0; }
  double load_per_gpu() const {
    return load() / static_cast<double>(choice.gpus());
  }
};

struct DeploymentOptions {
  int64_t gpus = 0;  // 0: as many as the scenario's engines take
  CapacityOptions capacity = {};
  int threads = 1;
};

// The choices for that scenario and so many GPUs, legal or not, with its own
// max_num_batched_tokens.
std::vector<DeploymentChoice> ChoicesFor(const ScenarioFile& scenario,
                                         int64_t gpus, int64_t gpus_per_node);

// By load per GPU, the best first; equal ones as ChoicesFor has them. Those that
// the scenario's checks refuse are left out. Fails on a scenario that
// CheckAsked refuses, one that says itself which pools there are, and more GPUs
// than the cluster's `nodes` have.
absl::StatusOr<std::vector<Deployment>> CompareDeployments(
    const std::string& path, std::span<const std::string> sets,
    const DeploymentOptions& options);

// Whether a scenario can be asked for its capacity: it serves, has objectives
// and a load to change.
absl::Status CheckAsked(const ScenarioFile& scenario);

// A single change that makes some load meet the objectives where none does.
struct WayToServe {
  std::string change;  // as --set takes it
  int64_t gpus = 0;
  double load = 0;  // that it then takes, roughly
};

// The fewest GPUs first, then the highest load.
std::vector<WayToServe> WaysToServe(const std::string& path,
                                    std::span<const std::string> sets);

}  // namespace scenarios

#endif  // SCENARIOS_DEPLOYMENTS_H_
