// The machine a job runs on: equal servers of GPUs and the network between
// them.
//
//   Cluster c = *LoadCluster("dgx-h100");  // one server
//   c.nodes = 8;              // 64 GPUs
//   c.oversubscription = 2;   // a what-if
//   c.ranks();                // 64
//
// To add a cluster: write hardware/clusters/<name>.textproto (cluster.proto is
// the reference of the fields); tests load every file there.
#ifndef HARDWARE_CLUSTER_H_
#define HARDWARE_CLUSTER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hardware/deep_ep.h"
#include "hardware/gpu.h"
#include "hardware/host.h"
#include "hardware/nccl.h"
#include "sim/units.h"

namespace sim {
class TextField;
}

namespace hardware {

namespace proto {
class Cluster;
}

enum class GpuLink : uint8_t {
  kNvSwitch,     // every pair of a server's GPUs at full NVLink rate
  kNvlinkPairs,  // GPUs 0-1, 2-3, … over NVLink, other pairs over PCIe
  kPcie,
};

struct Cluster {
  std::string name;  // of its file: "dgx-h100"
  GpuSpec gpu;
  int nodes = 1;
  int gpus_per_node = 1;

  // Inside a server.
  GpuLink gpu_link = GpuLink::kPcie;
  sim::BytesPerSecond nvlink_rate;   // per GPU and direction; 0: none
  bool in_switch_reduction = false;  // NVLink SHARP
  sim::Bytes host_memory;
  double cpu_speed = 1;  // of one thread; 1: a Xeon Platinum 8480C
  std::optional<HostSpec> host = std::nullopt;  // what else is known of it

  // Between servers. REQUIRES: nics_per_node > 0 where nodes > 1.
  NetworkKind network;
  int nics_per_node = 0;
  sim::BytesPerSecond nic_rate;  // of one, per direction
  int nodes_per_leaf = 1;
  bool rails = false;           // equal GPU positions meet below one leaf
  double oversubscription = 1;  // of each leaf: down over up
  sim::Duration switch_latency;

  Nccl nccl;  // how NCCL uses these links
  // And DeepEP; there where a run asks for it.
  std::optional<DeepEp> deep_ep = std::nullopt;

  int ranks() const { return nodes * gpus_per_node; }
  // The same cluster, its network loaded as training loads it.
  Cluster InTraining() const;
};

// A cluster of hardware/clusters by name, or of the .textproto at a path. Fails
// on an unknown name and on a field that is missing, out of range or at odds
// with another.
absl::StatusOr<Cluster> LoadCluster(absl::string_view name);

// The cluster of a scenario, whose message stands at `place`: a preset,
// changed.
absl::StatusOr<Cluster> ResolveCluster(const proto::Cluster& given,
                                       const sim::TextField& place);

// Names below hardware/clusters, sorted.
std::vector<std::string> ClusterNames();

}  // namespace hardware

#endif  // HARDWARE_CLUSTER_H_
