// The physical links of a cluster, GPU - NVSwitch or PCIe - NIC - leaf - spine,
// and the way data takes over them.
//
//   Topology t(two_dgx_h100);
//   t.RouteBetween(0, 1).rate;      // 450 GB/s, over the NVSwitch
//   t.RouteBetween(0, 8).devices;   // gpu 0, pcie, nic, leaf, nic, pcie, gpu 8
//   t.Dump(t.RouteBetween(0, 8));   // "gpu0 pcie0 nic0 leaf0 nic8 pcie8 gpu8"
//
// ShapeOf (group_shape.h) counts what a group finds there without walking the
// graph; tests hold it to these routes. The six NVSwitches of a server are one
// device here, and so are the spine switches: their links are summed.
#ifndef HARDWARE_TOPOLOGY_H_
#define HARDWARE_TOPOLOGY_H_

#include <memory>
#include <string>
#include <vector>

#include "hardware/cluster.h"
#include "sim/units.h"

namespace hardware {

enum class DeviceKind : uint8_t { kGpu, kNvSwitch, kPcie, kNic, kLeaf, kSpine };

struct Device {
  DeviceKind kind = DeviceKind::kGpu;
  int index = 0;  // of its kind, counted through the cluster
};

// Both directions alike.
struct PhysicalLink {
  int from = 0, to = 0;          // rows of devices()
  sim::BytesPerSecond rate;      // of one stream of data
  sim::BytesPerSecond capacity;  // of all streams together
};

struct Route {
  std::vector<int> devices;  // rows of devices(), both ends included
  sim::BytesPerSecond rate;  // of the slowest link
  int switches = 0;          // leaf and spine switches passed
};

class Topology {
 public:
  // Cost: O(devices). 16,384 GPUs have 53,000 devices.
  explicit Topology(const Cluster& cluster);
  ~Topology();

  const std::vector<Device>& devices() const { return devices_; }
  const std::vector<PhysicalLink>& links() const { return links_; }

  // The way that moves bytes fastest; of equals, the one found first. Empty if
  // there is none. REQUIRES: both are ranks of the cluster. Cost:
  // O(devices log devices).
  Route RouteBetween(int from_rank, int to_rank) const;

  // "gpu0 nvswitch0 gpu1".
  std::string Dump(const Route& route) const;

 private:
  struct Graph;

  std::vector<Device> devices_;  // the GPUs first, by rank
  std::vector<PhysicalLink> links_;
  std::unique_ptr<const Graph> graph_;
};

}  // namespace hardware

#endif  // HARDWARE_TOPOLOGY_H_
