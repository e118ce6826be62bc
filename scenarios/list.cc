#include "scenarios/list.h"

#include <algorithm>
#include <array>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "hardware/cluster.h"
#include "hardware/collectives/algorithms.h"
#include "hardware/gpu.h"
#include "models/load_model.h"
#include "models/parameters.h"
#include "models/schedules/schedule.h"
#include "scenarios/profiles.h"
#include "scenarios/scenario_file.h"
#include "scenarios/suite.h"
#include "sim/spelling.h"

namespace scenarios {
namespace {

constexpr double kGiga = 1e9, kTera = 1e12;  // how datasheets count

std::string Line(absl::string_view name, absl::string_view words) {
  return absl::StrFormat("%-28s %s\n", name, words);
}

absl::StatusOr<std::string> ListGpus() {
  std::string text;
  for (const std::string& name : hardware::GpuNames()) {
    const absl::StatusOr<hardware::GpuSpec> gpu = hardware::LoadGpu(name);
    if (!gpu.ok()) return gpu.status();
    const double fp8 = gpu->peak[models::DType::kFp8].count() / kTera;
    const double nvlink = gpu->nvlink_bandwidth.count() / kGiga;
    text += Line(
        name, absl::StrFormat(
                  "%4.0f GB at %4.2f TB/s, %4.0f TFLOP/s bf16, %s, %-16s %3.0f W",
                  static_cast<double>(gpu->memory_capacity.count()) / kGiga,
                  gpu->memory_bandwidth.count() / kTera,
                  gpu->peak[models::DType::kBf16].count() / kTera,
                  fp8 > 0 ? absl::StrFormat("%4.0f fp8", fp8) : "  no fp8",
                  nvlink > 0 ? absl::StrFormat("NVLink %3.0f GB/s,", nvlink)
                             : std::string("no NVLink,"),
                  gpu->power_watts));
  }
  return text;
}

absl::StatusOr<std::string> ListClusters() {
  constexpr double kBitsInByte = 8;
  std::string text;
  for (const std::string& name : hardware::ClusterNames()) {
    const absl::StatusOr<hardware::Cluster> c = hardware::LoadCluster(name);
    if (!c.ok()) return c.status();
    const std::string network =
        c->nics_per_node > 0
            ? absl::StrFormat("network %d x %.0f Gb/s", c->nics_per_node,
                              c->nic_rate.count() * kBitsInByte / kGiga)
            : "no network";
    text += Line(name, absl::StrFormat("%d x %s, %s", c->gpus_per_node,
                                       c->gpu.name, network));
  }
  return text;
}

absl::StatusOr<std::string> ListModels() {
  std::string text;
  for (const std::string& name : models::ZooModels()) {
    const absl::StatusOr<models::ModelSpec> m = models::LoadModel(name);
    if (!m.ok()) return m.status();
    text +=
        Line(name,
             absl::StrFormat(
                 "%8.3f B parameters, %3d layers of %5d%s",
                 static_cast<double>(models::CountParameters(*m).total) / kGiga,
                 m->layers, m->hidden,
                 m->experts  ? ", experts"
                 : m->latent ? ", latent attention"
                             : ""));
  }
  return text;
}

absl::StatusOr<std::string> ListProfiles() {
  std::string text;
  for (const std::string& name : ProfileNames()) {
    const absl::StatusOr<Profile> profile = LoadProfile(name);
    if (!profile.ok()) return profile.status();
    text += Line(name, profile->fields.describes());
  }
  return text;
}

absl::StatusOr<std::string> ListSchedules() {
  std::string text;
  for (const models::PipelineSchedule& s : models::PipelineSchedules()) {
    text += Line(s.name, s.summary);
  }
  text += Line("table", "a scenario's own: training.parallel.schedule_table");
  return text;
}

absl::StatusOr<std::string> ListCollectives() {
  std::string text;
  for (const auto& a : hardware::CollectiveAlgorithms()) {
    absl::StrAppend(&text, a.name, "\n");
  }
  return text;
}

absl::StatusOr<std::string> ListScenarios() {
  std::string text;
  for (const std::string& name : LibraryNames()) {
    const absl::StatusOr<ScenarioFile> scenario = ReadScenario(name);
    if (!scenario.ok()) return scenario.status();
    text += Line(name, scenario->scenario.name());
  }
  return text;
}

absl::StatusOr<std::string> ListSuites() {
  std::string text;
  for (const std::string& name : PublishedSuites()) {
    const auto file = SuiteFileOf(name);
    if (!file) continue;
    const absl::StatusOr<Suite> suite = LoadSuite(*file);
    if (!suite.ok()) return suite.status();
    text += Line(name, absl::StrFormat("%3d runs: %s", suite->runs(),
                                       suite->fields.describes()));
  }
  return text;
}

struct Kind {
  absl::string_view name;
  absl::StatusOr<std::string> (*list)();
};

constexpr std::array<Kind, 8> kKinds = {{{"gpus", ListGpus},
                                         {"clusters", ListClusters},
                                         {"models", ListModels},
                                         {"profiles", ListProfiles},
                                         {"schedules", ListSchedules},
                                         {"collectives", ListCollectives},
                                         {"scenarios", ListScenarios},
                                         {"suites", ListSuites}}};

}  // namespace

std::vector<std::string> ListKinds() {
  std::vector<std::string> names;
  for (const Kind& kind : kKinds) names.emplace_back(kind.name);
  return names;
}

absl::StatusOr<std::string> List(absl::string_view name) {
  for (const Kind& kind : kKinds) {
    if (kind.name == name) return kind.list();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("list: there is no kind \"", name, "\"; ",
                   sim::Suggest(name, ListKinds(), "kinds")));
}

}  // namespace scenarios
