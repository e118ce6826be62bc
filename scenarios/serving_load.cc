// From a scenario file to ServingInputs.
#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "models/load_model.h"
#include "scenarios/serving_checks.h"
#include "scenarios/serving_fields.h"
#include "scenarios/serving_inputs.h"

namespace scenarios {
namespace {

absl::Status CheckParts(const ScenarioFile& s) {
  if (s.scenario.has_training()) {
    return s.file.Error("serving",
                        "stands beside training; a scenario has one of them");
  }
  if (!s.scenario.has_model()) {
    return s.file.Error("model",
                        "is missing; e.g. model { preset: \"llama3-8b\" }");
  }
  if (!s.scenario.has_cluster()) {
    return s.file.Error("cluster",
                        "is missing; e.g. cluster { preset: \"dgx-h100\" }");
  }
  if (!s.serving.has_workload()) {
    return s.file.Error("serving.workload",
                        "is missing; e.g. workload { poisson { "
                        "requests_per_second: 4 } requests: 1000 input { "
                        "fixed: 1024 } output { fixed: 256 } }");
  }
  return absl::OkStatus();
}

// What `serving` says, changed by a pool.
proto::Serving SettingsOf(const proto::Serving& serving,
                          const proto::Pool& pool) {
  proto::Serving settings = serving;
  if (pool.has_parallel()) *settings.mutable_parallel() = pool.parallel();
  if (pool.has_replicas()) settings.set_replicas(pool.replicas());
  if (pool.has_max_num_seqs()) settings.set_max_num_seqs(pool.max_num_seqs());
  if (pool.has_max_num_batched_tokens()) {
    settings.set_max_num_batched_tokens(pool.max_num_batched_tokens());
  }
  return settings;
}

sim::Role RoleOf(proto::Pool::Role role) {
  return role == proto::Pool::PREFILL  ? sim::Role::kPrefill
         : role == proto::Pool::DECODE ? sim::Role::kDecode
                                       : sim::Role::kBoth;
}

// The model that writes drafts, if one does.
absl::StatusOr<std::optional<models::ModelSpec>> DraftOf(
    const proto::Serving& serving, const models::ModelSpec& model,
    const sim::TextField& field) {
  if (!serving.has_speculative()) return std::nullopt;
  const proto::Speculative& s = serving.speculative();
  if (s.method() == proto::Speculative::NGRAM) return std::nullopt;
  if (s.method() == proto::Speculative::DRAFT_MODEL) {
    absl::StatusOr<models::ModelSpec> draft = models::ResolveModel(
        s.draft_model(), field.At("speculative.draft_model"));
    if (!draft.ok()) return draft.status();
    return *std::move(draft);
  }
  models::ModelSpec layer = model;
  layer.layers = 1;
  layer.window_in_layer.clear();
  if (layer.experts) layer.experts->in_layer = {model.experts->in_layer.back()};
  layer.tied_embeddings = true;  // the head is the model's
  return layer;
}

// The servers that one engine stands on, which is all that its prices ask for.
void FitServers(ServingPool* pool) {
  const auto gpus = static_cast<int>(pool->gpus());
  const int each = pool->cluster.gpus_per_node;
  pool->cluster.nodes = (gpus + each - 1) / each;
}

int64_t BlocksOf(double gib, sim::Bytes block) {
  return static_cast<int64_t>(gib * 0x1p30 /
                              static_cast<double>(block.count()));
}

void SetCache(const proto::Serving& settings, ServingPool* pool) {
  pool->memory = MemoryOf(settings, *pool);
  pool->cache = {.blocks = pool->memory.blocks,
                 .block_tokens = settings.block_size(),
                 .prefix_caching = settings.enable_prefix_caching()};
  const sim::Bytes block =
      models::CacheBytesPerToken(pool->model, pool->spec) *
      settings.block_size();
  pool->cache.host_blocks = BlocksOf(settings.kv_offload().host_gib(), block);
  pool->cache.disk_blocks = BlocksOf(settings.kv_offload().disk_gib(), block);
}

class ServingLoader {
 public:
  explicit ServingLoader(const ScenarioFile& s)
      : s_(s), field_(s.file.At("serving")) {}

  absl::StatusOr<ServingInputs> Load();

 private:
  absl::Status AddPool(const proto::Pool& pool, const sim::TextField& place);
  absl::StatusOr<models::ModelSpec> ModelOf(const proto::Pool& pool,
                                            const sim::TextField& place);
  absl::StatusOr<hardware::Cluster> ClusterOf(const proto::Pool& pool,
                                              const sim::TextField& place);
  absl::Status AddPools();
  void SetFleet();

  const ScenarioFile& s_;
  sim::TextField field_;
  ServingInputs inputs_;
};

absl::StatusOr<models::ModelSpec> ServingLoader::ModelOf(
    const proto::Pool& pool, const sim::TextField& place) {
  return pool.has_model()
             ? models::ResolveModel(pool.model(), place.At("model"))
             : models::ResolveModel(s_.scenario.model(), s_.file.At("model"));
}

absl::StatusOr<hardware::Cluster> ServingLoader::ClusterOf(
    const proto::Pool& pool, const sim::TextField& place) {
  return pool.has_cluster()
             ? hardware::ResolveCluster(pool.cluster(), place.At("cluster"))
             : hardware::ResolveCluster(s_.scenario.cluster(),
                                        s_.file.At("cluster"));
}

absl::Status ServingLoader::AddPool(const proto::Pool& given,
                                    const sim::TextField& place) {
  const proto::Serving settings = SettingsOf(s_.serving, given);
  absl::StatusOr<models::ModelSpec> model = ModelOf(given, place);
  if (!model.ok()) return model.status();
  absl::StatusOr<hardware::Cluster> cluster = ClusterOf(given, place);
  if (!cluster.ok()) return cluster.status();
  absl::StatusOr<hardware::CostModel> cost =
      hardware::CostModel::Load(cluster->gpu.name);
  if (!cost.ok()) return cost.status();
  const absl::Status fields = CheckServing(settings, *model, place);
  if (!fields.ok()) return fields;
  absl::StatusOr<std::optional<models::ModelSpec>> draft =
      DraftOf(settings, *model, field_);
  if (!draft.ok()) return draft.status();

  const double cpu_speed = cluster->cpu_speed;
  ServingPool pool{.name = given.has_name() ? given.name() : model->name,
                   .model = *std::move(model),
                   .cluster = *std::move(cluster),
                   .cost = *std::move(cost),
                   .spec = ServingSpecOf(settings, settings.parallel()),
                   .host = EngineHostOf(settings.engine().process(),
                                        cpu_speed),
                   .policy = PolicyOf(settings),
                   .role = RoleOf(given.role()),
                   .replicas = settings.replicas(),
                   .draft = *std::move(draft)};
  pool.policy.microbatches = static_cast<int>(pool.spec.pipeline);
  FitServers(&pool);
  SetCache(settings, &pool);
  for (const ServingPool& other : inputs_.pools) {
    if (other.model == pool.model) break;
    pool.model_index = std::max(pool.model_index, other.model_index + 1);
  }
  const hardware::ServingCost price(pool.model, pool.spec, pool.cost,
                                    pool.cluster, pool.host);
  const absl::Status runs = price.Check();
  if (!runs.ok()) return place.Error(runs.message());
  inputs_.pools.push_back(std::move(pool));
  return absl::OkStatus();
}

absl::Status ServingLoader::AddPools() {
  if (s_.serving.pool_size() == 0) return AddPool({}, field_);
  for (int i = 0; i < s_.serving.pool_size(); ++i) {
    const absl::Status status = AddPool(
        s_.serving.pool(i), field_.At("pool").At(static_cast<size_t>(i)));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void ServingLoader::SetFleet() {
  const proto::Serving& s = s_.serving;
  inputs_.router = RouterOf(s.router());
  inputs_.max_queue = s.max_queue();
  inputs_.seed = static_cast<uint64_t>(s.workload().seed());
  const proto::EngineProcess& process = s.engine().process();
  inputs_.request_overhead = sim::Milliseconds(process.request_ms());
  for (ServingPool& pool : inputs_.pools) {
    const double speed = pool.cluster.cpu_speed;
    pool.admit = sim::Microseconds(process.admit_us() / speed);
    pool.admit_token = sim::Microseconds(process.admit_token_us() / speed);
  }
  if (s.has_autoscale()) {
    const proto::Autoscale& a = s.autoscale();
    ServingPool& first = inputs_.pools.front();
    inputs_.autoscaling = {
        .target_outstanding = a.target_outstanding(),
        .least = a.min_replicas(),
        .most = a.has_max_replicas() ? a.max_replicas() : first.replicas,
        .interval = sim::Seconds(a.interval_seconds()),
        .patience = sim::Seconds(a.patience_seconds())};
    const sim::Bytes weights = first.memory.weights * first.gpus();
    first.cold_start = sim::Seconds(a.start_seconds()) +
                       weights / sim::GBps(a.load_gb_per_s());
  }
  for (const proto::Outage& o : s.outage()) {
    inputs_.failures.push_back(
        {.replica = static_cast<size_t>(o.replica()),
         .at = sim::Instant{sim::Seconds(o.at_seconds())},
         .lasts = sim::Seconds(o.for_seconds())});
  }
  inputs_.model_shares.assign(s.model_share().begin(), s.model_share().end());
  for (const proto::Slo& slo : s.slo()) {
    inputs_.objectives.push_back(ObjectiveOf(slo));
  }
  inputs_.exclude = s.workload().exclude();
  inputs_.interval = sim::Seconds(s.interval_seconds());
  if (s.most_seconds() > 0) inputs_.most = sim::Seconds(s.most_seconds());
  const proto::Horizon& horizon = s_.scenario.horizon();
  if (horizon.has_gpu_hour_usd()) inputs_.gpu_hour_usd = horizon.gpu_hour_usd();
  inputs_.power_usage_effectiveness = horizon.power_usage_effectiveness();
}

absl::StatusOr<ServingInputs> ServingLoader::Load() {
  const absl::Status parts = CheckParts(s_);
  if (!parts.ok()) return parts;
  inputs_.profile = s_.profile.name;
  const absl::Status pools = AddPools();
  if (!pools.ok()) return pools;
  inputs_.name = s_.scenario.has_name() ? s_.scenario.name()
                                        : inputs_.pools.front().model.name;
  const absl::Status fleet =
      CheckFleet(s_.serving, inputs_.pools, s_.scenario.cluster(), field_);
  if (!fleet.ok()) return fleet;
  SetFleet();
  const sim::TextField place = field_.At("workload");
  // "folder/a.textproto:7"
  const std::string origin = place.Origin();
  const std::string folder =
      std::filesystem::path(origin.substr(0, origin.rfind(':')))
          .parent_path()
          .string();
  absl::StatusOr<WorkloadMaker> workload =
      WorkloadOf(s_.serving.workload(), place, folder);
  if (!workload.ok()) return workload.status();
  inputs_.workload =
      std::make_shared<const WorkloadMaker>(*std::move(workload));
  return std::move(inputs_);
}

}  // namespace

int64_t ServingInputs::gpus() const {
  int64_t all = 0;
  for (const ServingPool& pool : pools) all += pool.gpus() * pool.replicas;
  return all;
}

absl::StatusOr<ServingInputs> LoadServing(const std::string& path,
                                          std::span<const std::string> sets) {
  const absl::StatusOr<ScenarioFile> file = ReadScenario(path, sets);
  if (!file.ok()) return file.status();
  if (!file->serves()) {
    return file->file.Error("serving", "is missing; this asks about serving");
  }
  return ServingInputsOf(*file);
}

absl::StatusOr<ServingInputs> ServingInputsOf(const ScenarioFile& scenario) {
  return ServingLoader(scenario).Load();
}

}  // namespace scenarios
