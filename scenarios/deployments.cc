#include "scenarios/deployments.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "scenarios/in_threads.h"

namespace scenarios {
namespace {

std::string PoolText(const char* role, int64_t replicas) {
  return absl::StrCat("{ name: \"", role, "\" role: ", role,
                      " replicas: ", replicas, " }");
}

std::vector<std::string> Joined(std::span<const std::string> sets,
                                const std::vector<std::string>& more) {
  std::vector<std::string> all(sets.begin(), sets.end());
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

// 0 for all alike; then a quarter, half and three quarters of them.
std::vector<int64_t> PrefillShares(int64_t replicas) {
  std::set<int64_t> shares;
  for (const int64_t quarters : {1, 2, 3}) {
    const int64_t prefill = (replicas * quarters + 2) / 4;
    if (prefill > 0 && prefill < replicas) shares.insert(prefill);
  }
  std::vector<int64_t> all = {0};
  all.insert(all.end(), shares.begin(), shares.end());
  return all;
}

// One that the scenario's checks refuse has no engines to tell of.
std::optional<Deployment> TryDeployment(const std::string& path,
                                        std::span<const std::string> sets,
                                        const DeploymentChoice& choice,
                                        const CapacityOptions& options) {
  const absl::StatusOr<ServingInputs> inputs =
      LoadServing(path, Joined(sets, choice.Sets()));
  if (!inputs.ok()) return std::nullopt;
  Deployment d{.choice = choice, .limit = MemoryLimitOf(*inputs)};
  Probe beyond;
  if (d.limit == Limit{}) {
    d.capacity = HighestLoad(*inputs, options);
    d.limit = d.capacity.limit;
    if (d.capacity.beyond) beyond = *d.capacity.beyond;
  }
  d.why = DescribeLimit(d.limit, *inputs, beyond);
  return d;
}

std::vector<Deployment> TryAll(const std::string& path,
                               std::span<const std::string> sets,
                               const std::vector<DeploymentChoice>& choices,
                               const CapacityOptions& options, int threads) {
  std::vector<std::optional<Deployment>> tried(choices.size());
  InThreads(choices.size(), threads, [&](size_t row) {
    tried[row] = TryDeployment(path, sets, choices[row], options);
  });
  std::vector<Deployment> all;
  for (std::optional<Deployment>& d : tried) {
    if (d) all.push_back(*std::move(d));
  }
  return all;
}

void Rank(std::vector<Deployment>* all) {
  std::stable_sort(all->begin(), all->end(),
                   [](const Deployment& a, const Deployment& b) {
                     return a.load_per_gpu() > b.load_per_gpu();
                   });
}

// The best few with other numbers of tokens in a step.
std::vector<DeploymentChoice> OtherBudgets(const std::vector<Deployment>& all) {
  constexpr size_t kBest = 3;
  constexpr int64_t kBudgets[] = {2048, 8192, 16384};
  std::vector<DeploymentChoice> choices;
  for (size_t row = 0; row < std::min(kBest, all.size()); ++row) {
    if (all[row].load() <= 0) break;
    for (const int64_t budget : kBudgets) {
      DeploymentChoice choice = all[row].choice;
      if (choice.max_num_batched_tokens == budget) continue;
      choice.max_num_batched_tokens = budget;
      choices.push_back(choice);
    }
  }
  return choices;
}

// Sought to the full only where they may be the best: what few requests find is
// within a tenth.
void Refine(const std::string& path, std::span<const std::string> sets,
            const DeploymentOptions& options, std::vector<Deployment>* all) {
  std::vector<DeploymentChoice> close;
  for (const Deployment& d : *all) {
    if (d.load() > 0 && d.load_per_gpu() >= 0.9 * all->front().load_per_gpu()) {
      close.push_back(d.choice);
    }
  }
  const std::vector<Deployment> refined =
      TryAll(path, sets, close, options.capacity, options.threads);
  std::copy(refined.begin(), refined.end(), all->begin());
  Rank(all);
}

absl::Status CheckGpus(const ScenarioFile& scenario, int64_t gpus,
                       int64_t gpus_per_node) {
  const hardware::proto::Cluster& cluster = scenario.scenario.cluster();
  const int64_t there = cluster.nodes() * gpus_per_node;
  if (!cluster.has_nodes() || gpus <= there) return absl::OkStatus();
  return scenario.file.Error(
      "cluster.nodes",
      absl::StrCat("the cluster's ", cluster.nodes(), " servers have ", there,
                   " GPUs, and ", gpus, " are asked about; --gpus ", there,
                   " works, or leave out nodes"));
}

// Changes to try where nothing meets: what costs nothing first.
std::vector<std::string> ChangesOf(const proto::Serving& s) {
  std::vector<std::string> changes;
  const auto add = [&](auto... words) {
    changes.push_back(absl::StrCat("serving.", words...));
  };
  if (s.max_num_batched_tokens() / 4 >= s.max_num_seqs()) {
    add("max_num_batched_tokens=", s.max_num_batched_tokens() / 4);
  }
  add("max_num_batched_tokens=", s.max_num_batched_tokens() * 4);
  if (s.max_num_seqs() > 4) add("max_num_seqs=", s.max_num_seqs() / 4);
  if (s.quantization() == proto::Serving::NONE) add("quantization=FP8");
  if (s.kv_cache_dtype() == proto::Serving::AUTO) {
    add("kv_cache_dtype=FP8_CACHE");
  }
  if (s.max_model_len() > 0) add("max_model_len=0");
  for (const int64_t times : {2, 4, 8}) {
    add("parallel.tensor=", s.parallel().tensor() * times);
  }
  return changes;
}

std::optional<WayToServe> TryWay(const std::string& path,
                                 std::span<const std::string> sets,
                                 const std::string& change) {
  constexpr CapacityOptions kRough = {
      .requests = 500, .tolerance = 0.2, .most_simulated = 0};
  const absl::StatusOr<ServingInputs> inputs =
      LoadServing(path, Joined(sets, {change}));
  if (!inputs.ok() || !Fits(*inputs)) return std::nullopt;
  const Capacity capacity = HighestLoad(*inputs, kRough);
  if (!capacity.at) return std::nullopt;
  return WayToServe{
      .change = change, .gpus = inputs->gpus(), .load = capacity.at->load};
}

}  // namespace

std::vector<std::string> DeploymentChoice::Sets() const {
  std::vector<std::string> sets = {
      absl::StrCat("serving.parallel.tensor=", tensor),
      absl::StrCat("serving.parallel.pipeline=", pipeline),
      absl::StrCat("serving.max_num_batched_tokens=", max_num_batched_tokens)};
  if (prefill == 0) {
    sets.push_back(absl::StrCat("serving.replicas=", replicas));
  } else {
    sets.push_back(absl::StrCat("serving.pool=[", PoolText("PREFILL", prefill),
                                ", ", PoolText("DECODE", replicas - prefill),
                                "]"));
  }
  return sets;
}

std::string DeploymentChoice::Text() const {
  std::string text = absl::StrCat("tp ", tensor);
  if (pipeline > 1) absl::StrAppend(&text, " pp ", pipeline);
  if (prefill > 0) {
    absl::StrAppend(&text, " x (", prefill, " prefill + ", replicas - prefill,
                    " decode)");
  } else {
    absl::StrAppend(&text, " x ", replicas);
  }
  absl::StrAppend(&text, ", ", max_num_batched_tokens, " tokens a step");
  return text;
}

std::vector<DeploymentChoice> ChoicesFor(const ScenarioFile& scenario,
                                         int64_t gpus, int64_t gpus_per_node) {
  std::vector<DeploymentChoice> choices;
  for (const int64_t pipeline : {1, 2}) {
    for (int64_t tensor = 1; tensor <= gpus_per_node; tensor *= 2) {
      if (gpus % (tensor * pipeline) != 0) continue;
      const int64_t replicas = gpus / (tensor * pipeline);
      for (const int64_t prefill : PrefillShares(replicas)) {
        choices.push_back({.tensor = tensor,
                           .pipeline = pipeline,
                           .replicas = replicas,
                           .prefill = prefill,
                           .max_num_batched_tokens =
                               scenario.serving.max_num_batched_tokens()});
      }
    }
  }
  return choices;
}

absl::Status CheckAsked(const ScenarioFile& s) {
  if (!s.serves()) {
    return s.file.Error("serving",
                        "is missing; capacity is a question about serving");
  }
  if (s.serving.slo_size() == 0) {
    return s.file.Error("serving.slo",
                        "is missing; capacity is the load that meets it, e.g. "
                        "slo { ttft_ms: 1000 tpot_ms: 50 }");
  }
  const absl::StatusOr<ServingInputs> inputs = ServingInputsOf(s);
  if (!inputs.ok()) return inputs.status();
  if (!HasLoad(*inputs)) {
    return s.file.Error("serving.workload",
                        "has no rate of arrivals to change; poisson, gamma, "
                        "constant, closed_loop or a trace with times works");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Deployment>> CompareDeployments(
    const std::string& path, std::span<const std::string> sets,
    const DeploymentOptions& options) {
  const absl::StatusOr<ScenarioFile> scenario = ReadScenario(path, sets);
  if (!scenario.ok()) return scenario.status();
  const absl::Status asked = CheckAsked(*scenario);
  if (!asked.ok()) return asked;
  if (scenario->serving.pool_size() > 0) {
    return scenario->file.Error(
        "serving.pool",
        "says which engines there are, which --compare is to choose; leave it "
        "out");
  }
  const absl::StatusOr<ServingInputs> inputs = ServingInputsOf(*scenario);
  const int64_t gpus = options.gpus > 0 ? options.gpus : inputs->gpus();
  const int64_t per_node = inputs->pools.front().cluster.gpus_per_node;
  const absl::Status there = CheckGpus(*scenario, gpus, per_node);
  if (!there.ok()) return there;
  CapacityOptions rough = options.capacity;
  rough.most_simulated = 0;
  const auto attempt = [&](const std::vector<DeploymentChoice>& choices) {
    return TryAll(path, sets, choices, rough, options.threads);
  };
  std::vector<Deployment> all =
      attempt(ChoicesFor(*scenario, gpus, per_node));
  Rank(&all);
  for (Deployment& d : attempt(OtherBudgets(all))) all.push_back(std::move(d));
  Rank(&all);
  Refine(path, sets, options, &all);
  return all;
}

std::vector<WayToServe> WaysToServe(const std::string& path,
                                    std::span<const std::string> sets) {
  std::vector<WayToServe> ways;
  const absl::StatusOr<ScenarioFile> scenario = ReadScenario(path, sets);
  if (!scenario.ok()) return ways;
  for (const std::string& change : ChangesOf(scenario->serving)) {
    const std::optional<WayToServe> way = TryWay(path, sets, change);
    if (way) ways.push_back(*way);
  }
  std::stable_sort(ways.begin(), ways.end(),
                   [](const WayToServe& a, const WayToServe& b) {
                     return a.gpus != b.gpus ? a.gpus < b.gpus
                                             : a.load > b.load;
                   });
  return ways;
}

}  // namespace scenarios
