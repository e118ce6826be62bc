#include "hardware/cluster.h"

#include <google/protobuf/descriptor.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hardware/cluster.pb.h"
#include "hardware/number_fields.h"
#include "hardware/preset_files.h"
#include "sim/text_file.h"

namespace hardware {
namespace {

constexpr NumberRange kSize[] = {
    {.field = "nodes", .least = 1, .most = 65536},
    {.field = "gpus_per_node", .least = 1, .most = 64},
    {.field = "host_memory_gb", .most = 1e9, .above_least = true},
    {.field = "cpu_speed", .least = 0.01, .most = 100},
};

constexpr NumberRange kNetwork[] = {
    {.field = "nics_per_node", .least = 1, .most = 64},
    {.field = "nic_gbit_per_s", .least = 0.001, .most = 1e6},
    {.field = "nodes_per_leaf", .least = 1},
    {.field = "oversubscription", .least = 1, .most = 1e6},
    {.field = "switch_ns", .most = 1e6},
};

// "efa, infiniband, roce".
std::string NetworkNames() {
  return absl::StrJoin(PresetNames(kNetworks), ", ");
}

constexpr NumberRange kBridge[] = {
    {.field = "bridge_gb_per_s", .least = 0.001, .most = 1e6},
};

// A cluster message made of a preset and what a scenario changes of it. Each
// field stands in one of the two.
class Merged {
 public:
  Merged(const proto::Cluster& given, const sim::TextField& place)
      : message_(given), given_(place) {}

  absl::Status AddPreset(absl::string_view name) {
    proto::Cluster preset;
    absl::StatusOr<sim::TextFile> file =
        LoadPresetFile(kClusters, name, &preset);
    if (!file.ok()) return file.status();
    preset_file_ = *std::move(file);
    preset.MergeFrom(message_);
    message_ = std::move(preset);
    return absl::OkStatus();
  }

  const proto::Cluster& message() const { return message_; }

  // The message that sets the field, or should.
  sim::TextField Holder(absl::string_view field) const {
    const bool in_preset = !given_.At(field).IsSet() &&
                           preset_file_.has_value() &&
                           preset_file_->At(field).IsSet();
    return in_preset ? preset_file_->At("") : given_;
  }

  absl::Status Error(absl::string_view field, absl::string_view problem) const {
    return Holder(field).At(field).Error(problem);
  }

  // Checks the fields that are set and, of those without a default, that all
  // are.
  absl::Status Check(std::span<const NumberRange> ranges) const {
    for (const NumberRange& range : ranges) {
      const google::protobuf::FieldDescriptor* field =
          proto::Cluster::descriptor()->FindFieldByName(
              std::string(range.field));
      const bool is_set = message_.GetReflection()->HasField(message_, field);
      if (!is_set && field->has_default_value()) continue;
      const absl::Status status =
          CheckNumbers(message_, Holder(range.field), {&range, 1});
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  proto::Cluster message_;
  sim::TextField given_;
  std::optional<sim::TextFile> preset_file_;
};

absl::Status CheckGpuLink(const Merged& merged, const GpuSpec& gpu) {
  const proto::Cluster& m = merged.message();
  if (!m.has_gpu_link()) {
    return merged.Error("gpu_link",
                        "is missing; write NVSWITCH, NVLINK_PAIRS or PCIE");
  }
  const bool nvswitch = m.gpu_link() == proto::NVSWITCH;
  if (nvswitch && gpu.nvlink_bandwidth.count() == 0) {
    return merged.Error("gpu_link",
                        absl::StrCat("NVSWITCH needs NVLink, which ", gpu.name,
                                     " does not have; write PCIE"));
  }
  if (m.in_switch_reduction() && !nvswitch) {
    return merged.Error(
        "gpu_link", absl::StrCat(proto::GpuLink_Name(m.gpu_link()),
                                 " has no switches to reduce in; write "
                                 "NVSWITCH, or in_switch_reduction: false"));
  }
  if (m.gpu_link() == proto::NVLINK_PAIRS) return merged.Check(kBridge);
  if (m.has_bridge_gb_per_s()) {
    return merged.Error("bridge_gb_per_s",
                        "is of NVLink bridges; remove it, or write gpu_link: "
                        "NVLINK_PAIRS");
  }
  return absl::OkStatus();
}

absl::Status AddNetwork(const Merged& merged, Cluster& cluster) {
  const proto::Cluster& m = merged.message();
  if (!m.has_network()) {
    if (m.nodes() == 1) return absl::OkStatus();
    return merged.Error("nodes",
                        absl::StrCat(m.nodes(),
                                     " nodes need a network, and none is "
                                     "given; known networks are ",
                                     NetworkNames()));
  }
  const absl::Status numbers = merged.Check(kNetwork);
  if (!numbers.ok()) return numbers;
  absl::StatusOr<NetworkKind> kind = LoadNetworkKind(m.network());
  if (!kind.ok()) return merged.Error("network", kind.status().message());
  cluster.network = *std::move(kind);
  cluster.nics_per_node = m.nics_per_node();
  cluster.nic_rate = sim::GBps(m.nic_gbit_per_s() / 8);
  cluster.nodes_per_leaf = m.nodes_per_leaf();
  cluster.rails = m.rails();
  cluster.oversubscription = m.oversubscription();
  cluster.switch_latency = sim::Nanoseconds(m.switch_ns());
  return absl::OkStatus();
}

GpuLink LinkOf(proto::GpuLink link) {
  switch (link) {
    case proto::NVSWITCH:
      return GpuLink::kNvSwitch;
    case proto::NVLINK_PAIRS:
      return GpuLink::kNvlinkPairs;
    case proto::PCIE:
      return GpuLink::kPcie;
  }
  return GpuLink::kPcie;
}

absl::StatusOr<Cluster> Build(const Merged& merged, std::string name) {
  const proto::Cluster& m = merged.message();
  if (!m.has_gpu()) {
    return merged.Error("gpu", "is missing; name a file of hardware/gpus");
  }
  absl::StatusOr<GpuSpec> gpu = LoadGpu(m.gpu());
  if (!gpu.ok()) return merged.Error("gpu", gpu.status().message());
  absl::StatusOr<Nccl> nccl = LoadNccl(gpu->calibration);
  if (!nccl.ok()) return nccl.status();
  absl::Status status = merged.Check(kSize);
  if (status.ok()) status = CheckGpuLink(merged, *gpu);
  if (!status.ok()) return status;

  Cluster cluster;
  cluster.name = std::move(name);
  cluster.nodes = m.nodes();
  cluster.gpus_per_node = m.gpus_per_node();
  cluster.gpu_link = LinkOf(m.gpu_link());
  cluster.nvlink_rate = cluster.gpu_link == GpuLink::kNvlinkPairs
                            ? sim::GBps(m.bridge_gb_per_s())
                            : gpu->nvlink_bandwidth;
  cluster.in_switch_reduction = m.in_switch_reduction();
  cluster.cpu_speed = m.cpu_speed();
  cluster.host_memory =
      sim::Bytes(static_cast<int64_t>(sim::GBps(m.host_memory_gb()).count()));
  if (m.has_host()) {
    const absl::StatusOr<HostSpec> host =
        HostOf(m.host(), merged.Holder("host").At("host"));
    if (!host.ok()) return host.status();
    cluster.host = *host;
  }
  cluster.gpu = *std::move(gpu);
  cluster.nccl = *std::move(nccl);
  status = AddNetwork(merged, cluster);
  if (!status.ok()) return status;
  return cluster;
}

}  // namespace

Cluster Cluster::InTraining() const {
  Cluster loaded = *this;
  loaded.network.efficiency = network.training_efficiency;
  return loaded;
}

absl::StatusOr<Cluster> LoadCluster(absl::string_view name) {
  proto::Cluster message;
  const absl::StatusOr<sim::TextFile> file =
      LoadPresetFile(kClusters, name, &message);
  if (!file.ok()) return file.status();
  return Build(Merged(message, file->At("")),
               std::filesystem::path(std::string(name)).stem().string());
}

absl::StatusOr<Cluster> ResolveCluster(const proto::Cluster& given,
                                       const sim::TextField& place) {
  Merged merged(given, place);
  if (given.has_preset()) {
    const absl::Status status = merged.AddPreset(given.preset());
    if (!status.ok()) return place.At("preset").Error(status.message());
  }
  return Build(merged, given.preset());
}

std::vector<std::string> ClusterNames() { return PresetNames(kClusters); }

}  // namespace hardware
