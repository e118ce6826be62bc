#include "hardware/link_parts.h"

#include <algorithm>
#include <cmath>

namespace hardware {
namespace {

uint16_t Parts(double fraction) {
  return static_cast<uint16_t>(
      std::lround(std::clamp(fraction, 0.0, 1.0) * 1024));
}

}  // namespace

LinkParts PartsOf(const LinkSeconds& busy, double seconds,
                  const GroupShape& shape, const Cluster& cluster) {
  const double link = busy.link / seconds;
  LinkParts parts;
  double pcie = shape.nvlink ? 0 : link;
  if (shape.nvlink) parts.nvlink = Parts(link);
  if (shape.nodes > 1) {
    const double network = busy.network / seconds;
    const double of_rank =
        shape.network_rate.count() / shape.min_ranks_per_node;
    const double share = cluster.nic_rate.count() * cluster.nics_per_node /
                         cluster.gpus_per_node;
    parts.nic = Parts(network * std::min(1.0, of_rank / share));
    pcie += network * of_rank / cluster.gpu.pcie_bandwidth.count();
  }
  parts.pcie = Parts(pcie);
  return parts;
}

}  // namespace hardware
