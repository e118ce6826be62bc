#include "hardware/collective_cost.h"

#include <algorithm>
#include <cmath>

#include "hardware/collectives/algorithms.h"

namespace hardware {
namespace {

constexpr absl::string_view kSimple = "Simple";
constexpr absl::string_view kLl128 = "LL128";

// Switches a message passes between nodes: the leaf, or up and down the spine.
int64_t SwitchesPassed(const GroupShape& shape) {
  return shape.leaves > 1 ? 3 : 1;
}

sim::Duration Transfer(sim::Bytes bytes, sim::BytesPerSecond rate,
                       double efficiency) {
  if (bytes.count() == 0) return {};
  return bytes / sim::BytesPerSecond(rate.count() * efficiency);
}

sim::Duration TimeOf(const Traffic& t, const NcclProtocol& p,
                     const GroupShape& shape, const Cluster& cluster) {
  sim::Duration time = p.start + p.step * t.link_steps;
  if (t.network_steps > 0) {
    const sim::Duration hop = p.network_step + cluster.network.step +
                              cluster.switch_latency * SwitchesPassed(shape);
    time += cluster.network.start + hop * t.network_steps;
    if (p.protocol == kSimple) time += cluster.network.simple_start;
  }
  const double payload =
      shape.max_ranks_per_node == 1 ? p.lone_rank_payload : p.network_payload;
  const double network = payload * cluster.network.efficiency;
  time += std::max({Transfer(t.link_bytes, shape.link_rate, p.link_efficiency),
                    Transfer(t.network_bytes, shape.network_rate, network),
                    Transfer(t.spine_bytes, shape.spine_rate, network)});
  if (p.own_part.count() > 0) time += t.own_part / p.own_part;
  return time;
}

// Parts per 1024, at most all of it.
uint16_t Parts(double fraction) {
  return static_cast<uint16_t>(std::lround(std::min(fraction, 1.0) * 1024));
}

// Thread blocks of one rank. Across nodes, NCCL gives each NIC of the group a
// fixed number of channels, and every rank of a node works on all of them.
int ChannelsOf(const NcclProtocol& protocol, const GroupShape& shape,
               const Cluster& cluster) {
  if (shape.nodes == 1) return protocol.channels;
  const double nics = shape.network_rate.count() / cluster.nic_rate.count();
  return std::min(protocol.channels, static_cast<int>(std::ceil(nics)) *
                                         protocol.channels_per_nic);
}

void AddTakes(const Traffic& traffic, const NcclProtocol& protocol,
              const GroupShape& shape, const Cluster& cluster,
              CollectivePrice& price) {
  price.takes_compute =
      Parts(static_cast<double>(ChannelsOf(protocol, shape, cluster)) /
            static_cast<double>(cluster.gpu.multiprocessors));
  price.takes_memory =
      Parts(sim::InSeconds(traffic.memory / cluster.gpu.memory_bandwidth) /
            sim::InSeconds(price.time));
}

// What leaves one rank: over the links, and its part of what leaves the node.
sim::Bytes SentByOneRank(const Traffic& traffic, const GroupShape& shape) {
  return std::max(traffic.link_bytes,
                  PartOf(traffic.network_bytes, 1, shape.max_ranks_per_node));
}

}  // namespace

CollectivePrice PriceOf(const models::Collective& collective,
                        const GroupShape& shape, const Cluster& cluster) {
  CollectivePrice best;
  if (shape.ranks <= 1 || collective.bytes.count() <= 0) return best;
  const bool leaves_node = shape.nodes > 1;
  const auto& protocols =
      shape.nvlink ? cluster.nccl.nvlink : cluster.nccl.pcie;
  for (const CollectiveAlgorithm& algorithm : CollectiveAlgorithms()) {
    if (!algorithm.accepts(collective, shape, cluster)) continue;
    const Traffic traffic = algorithm.traffic(collective, shape);
    for (const NcclProtocol& protocol : protocols) {
      if (protocol.algorithm != algorithm.name) continue;
      if (leaves_node && !cluster.network.ll128 &&
          protocol.protocol == kLl128) {
        continue;
      }
      const sim::Duration time = TimeOf(traffic, protocol, shape, cluster);
      if (!best.algorithm.empty() && time >= best.time) continue;
      best = {.time = time,
              .algorithm = algorithm.name,
              .protocol = protocol.protocol,
              .wire_bytes = SentByOneRank(traffic, shape)};
      AddTakes(traffic, protocol, shape, cluster, best);
    }
  }
  return best;
}

}  // namespace hardware
