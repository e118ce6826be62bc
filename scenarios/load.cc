#include "scenarios/load.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "hardware/cluster.h"
#include "models/load_model.h"
#include "scenarios/expert_fields.h"
#include "scenarios/fp8_fields.h"
#include "scenarios/lora_fields.h"
#include "scenarios/offload_fields.h"
#include "scenarios/optimizer_fields.h"
#include "scenarios/size_checks.h"
#include "scenarios/training_fields.h"
#include "scenarios/zero_checks.h"

namespace scenarios {
namespace {

// A run needs each of these messages.
absl::Status CheckParts(const ScenarioFile& s) {
  if (!s.scenario.has_model()) {
    return s.file.Error("model", "is missing; e.g. model { preset: \"gpt2\" }");
  }
  if (!s.scenario.has_cluster()) {
    return s.file.Error("cluster",
                        "is missing; e.g. cluster { preset: \"dgx-h100\" }");
  }
  if (!s.scenario.has_training()) {
    return s.file.Error("training",
                        "is missing; give at least sequence_length and "
                        "global_batch");
  }
  return absl::OkStatus();
}

Horizon HorizonOf(const proto::Horizon& h) {
  Horizon horizon;
  if (h.has_tokens()) horizon.tokens = h.tokens();
  if (h.has_budget_usd()) horizon.budget_usd = h.budget_usd();
  if (h.has_gpu_hour_usd()) horizon.gpu_hour_usd = h.gpu_hour_usd();
  horizon.power_usage_effectiveness = h.power_usage_effectiveness();
  return horizon;
}

absl::Status CheckHorizon(const proto::Horizon& horizon,
                          const sim::TextField& field) {
  if (horizon.has_budget_usd() && !horizon.has_gpu_hour_usd()) {
    return field.At("budget_usd")
        .Error("needs the price of a GPU; set gpu_hour_usd, e.g. 2.5");
  }
  return absl::OkStatus();
}

absl::StatusOr<Measured> MeasuredOf(const proto::Measured& m,
                                    const sim::TextField& field) {
  const bool memory = m.has_peak_allocated_gib() || m.has_peak_reserved_gib();
  const int speeds = m.has_step_seconds() + m.has_tokens_per_second_per_gpu();
  if (speeds > 1 || (speeds == 0 && !memory)) {
    return field.Error(
        "needs one figure: step_seconds or tokens_per_second_per_gpu");
  }
  if (m.source().empty()) {
    return field.Error("needs a source: paper and table, or file and row");
  }
  Measured measured;
  measured.source = m.source();
  if (m.has_step_seconds()) measured.step_seconds = m.step_seconds();
  if (m.has_tokens_per_second_per_gpu()) {
    measured.tokens_per_second_per_gpu = m.tokens_per_second_per_gpu();
  }
  if (m.has_peak_allocated_gib()) {
    measured.peak_allocated_gib = m.peak_allocated_gib();
  }
  if (m.has_peak_reserved_gib()) {
    measured.peak_reserved_gib = m.peak_reserved_gib();
  }
  measured.series = m.series();
  return measured;
}

}  // namespace

absl::StatusOr<Inputs> Load(const std::string& path,
                            std::span<const std::string> sets) {
  const absl::StatusOr<ScenarioFile> file = ReadScenario(path, sets);
  if (!file.ok()) return file.status();
  return InputsOf(*file);
}

absl::StatusOr<Inputs> InputsOf(const ScenarioFile& s) {
  const absl::Status parts = CheckParts(s);
  if (!parts.ok()) return parts;
  const sim::TextField model_field = s.file.At("model");
  absl::StatusOr<models::ModelSpec> model =
      models::ResolveModel(s.scenario.model(), model_field);
  if (!model.ok()) return model.status();

  absl::StatusOr<hardware::Cluster> cluster =
      hardware::ResolveCluster(s.scenario.cluster(), s.file.At("cluster"));
  if (!cluster.ok()) return cluster.status();
  absl::StatusOr<hardware::CostModel> cost =
      hardware::CostModel::Load(cluster->gpu.name);
  if (!cost.ok()) return cost.status();

  Inputs inputs;
  inputs.name = s.scenario.has_name() ? s.scenario.name() : model->name;
  inputs.model = *std::move(model);
  inputs.cluster = *std::move(cluster);
  inputs.cost = *std::move(cost);
  inputs.profile = s.profile.name;
  inputs.horizon = HorizonOf(s.scenario.horizon());
  inputs.training =
      TrainingSpecOf(s.training, inputs.model.layers, inputs.cluster.ranks());
  inputs.training.split.server_ranks = inputs.cluster.gpus_per_node;
  for (const auto check :
       {&CheckTraining, &CheckLora, &CheckOptimizer, &CheckFp8}) {
    const absl::Status status =
        check(s.training, inputs, s.file.At("training"));
    if (!status.ok()) return status;
  }
  for (const auto check : {&CheckZero, &CheckOffload}) {
    const absl::Status status = check(inputs, s.file.At("training"));
    if (!status.ok()) return status;
  }
  if (inputs.training.experts.dispatcher == models::TokenDispatcher::kDeepEp) {
    const absl::StatusOr<hardware::DeepEp> deep_ep =
        hardware::LoadDeepEp(inputs.cluster.gpu.calibration);
    if (deep_ep.ok()) inputs.cluster.deep_ep = *deep_ep;
  }
  const absl::Status experts = CheckExperts(inputs, s.file.At("training"));
  if (!experts.ok()) return experts;
  const absl::Status size = CheckSize(inputs, s.file.At("training"));
  if (!size.ok()) return size;

  const absl::Status horizon =
      CheckHorizon(s.scenario.horizon(), s.file.At("horizon"));
  if (!horizon.ok()) return horizon;
  if (s.scenario.has_measured()) {
    absl::StatusOr<Measured> measured =
        MeasuredOf(s.scenario.measured(), s.file.At("measured"));
    if (!measured.ok()) return measured.status();
    inputs.measured = *std::move(measured);
  }
  return inputs;
}

}  // namespace scenarios
