#include "hardware/host_cost.h"

#include <algorithm>
#include <cmath>

namespace hardware {
namespace {

sim::BytesPerSecond Share(sim::BytesPerSecond rate, double parts) {
  return sim::BytesPerSecond(rate.count() * parts);
}

}  // namespace

CollectivePrice PriceOnHost(const models::Collective& collective,
                            const Cluster& cluster) {
  const HostSpec& host = *cluster.host;
  const double gpus = cluster.gpus_per_node;
  CollectivePrice price;
  if (collective.bytes.count() <= 0) return price;
  switch (collective.kind) {
    case models::CollectiveKind::kHostWork:
      price.algorithm = "cpu";
      price.time =
          collective.bytes / Share(host.memory, kUpdateEfficiency / gpus);
      return price;
    case models::CollectiveKind::kDiskRead:
      price.algorithm = "nvme";
      price.time =
          collective.bytes / Share(host.disk_read, host.disks / gpus);
      return price;
    case models::CollectiveKind::kDiskWrite:
      price.algorithm = "nvme";
      price.time =
          collective.bytes / Share(host.disk_write, host.disks / gpus);
      return price;
    default:
      break;
  }
  const int sharers =
      std::min(host.gpus_per_pcie_switch, cluster.gpus_per_node);
  const sim::BytesPerSecond rate = Share(host.pcie, 1.0 / sharers);
  price.algorithm = "pcie";
  price.time = collective.bytes / rate;
  price.wire_bytes = collective.bytes;
  price.links.pcie = static_cast<uint16_t>(1024 / sharers);
  price.takes_memory = static_cast<uint16_t>(std::lround(std::min(
      1024.0, 1024 * rate.count() / cluster.gpu.memory_bandwidth.count())));
  return price;
}

}  // namespace hardware
