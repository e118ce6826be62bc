#include "hardware/collective_cost.h"

#include <algorithm>
#include <cmath>

#include "hardware/collectives/algorithms.h"
#include "hardware/custom_all_reduce.h"

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

// Of the bytes on the wire between servers, the payload.
double NetworkEfficiency(const NcclProtocol& p, const GroupShape& shape,
                         const Cluster& cluster) {
  const double payload =
      shape.max_ranks_per_node == 1 ? p.lone_rank_payload : p.network_payload;
  return payload * cluster.network.efficiency;
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
  const double network = NetworkEfficiency(p, shape, cluster);
  time += std::max({Transfer(t.sent, shape.link_rate, p.link_efficiency),
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

void AddLinks(const Traffic& traffic, const NcclProtocol& protocol,
              const GroupShape& shape, const Cluster& cluster,
              CollectivePrice& price) {
  LinkSeconds busy{
      .link = sim::InSeconds(Transfer(traffic.link_bytes, shape.link_rate,
                                      protocol.link_efficiency))};
  if (shape.nodes > 1) {
    busy.network =
        sim::InSeconds(Transfer(traffic.network_bytes, shape.network_rate,
                                NetworkEfficiency(protocol, shape, cluster)));
  }
  price.links = PartsOf(busy, sim::InSeconds(price.time), shape, cluster);
}

CollectivePrice PriceWith(const CollectiveAlgorithm& algorithm,
                          const NcclProtocol& protocol,
                          const models::Collective& collective,
                          const GroupShape& shape, const Cluster& cluster) {
  const Traffic traffic = algorithm.traffic(collective, shape);
  CollectivePrice price{.time = TimeOf(traffic, protocol, shape, cluster),
                        .algorithm = algorithm.name,
                        .protocol = protocol.protocol,
                        .wire_bytes = traffic.sent};
  AddTakes(traffic, protocol, shape, cluster, price);
  AddLinks(traffic, protocol, shape, cluster, price);
  return price;
}

CollectivePrice NcclPrice(const models::Collective& collective,
                          const GroupShape& shape, const Cluster& cluster) {
  CollectivePrice best;
  const auto& protocols =
      shape.nvlink ? cluster.nccl.nvlink : cluster.nccl.pcie;
  for (const CollectiveAlgorithm& algorithm : CollectiveAlgorithms()) {
    if (!algorithm.accepts(collective, shape, cluster)) continue;
    for (const NcclProtocol& protocol : protocols) {
      if (protocol.algorithm != algorithm.name) continue;
      if (shape.nodes > 1 && !cluster.network.ll128 &&
          protocol.protocol == kLl128) {
        continue;
      }
      const CollectivePrice price =
          PriceWith(algorithm, protocol, collective, shape, cluster);
      if (best.algorithm.empty() || price.time < best.time) best = price;
    }
  }
  return best;
}

CollectivePrice LibraryPrice(const models::Collective& collective,
                             const GroupShape& shape, const Cluster& cluster) {
  const CustomKernel* kernel =
      CustomKernelFor(cluster.nccl.custom, collective, shape, cluster);
  if (kernel == nullptr) return NcclPrice(collective, shape, cluster);
  const CollectivePrice custom =
      PriceWith(*FindAlgorithm(kernel->cost.algorithm), kernel->cost,
                collective, shape, cluster);
  if (!kernel->when_faster) return custom;
  const CollectivePrice nccl = NcclPrice(collective, shape, cluster);
  return nccl.time < custom.time ? nccl : custom;
}

}  // namespace

CollectivePrice PriceOf(const models::Collective& collective,
                        const GroupShape& shape, const Cluster& cluster) {
  if (shape.ranks <= 1 || collective.bytes.count() <= 0) return {};
  CollectivePrice price = LibraryPrice(collective, shape, cluster);
  if (collective.copied) {
    price.time += cluster.nccl.copy_start +
                  Transfer(collective.bytes * 2, cluster.gpu.memory_bandwidth,
                           cluster.nccl.copy_efficiency);
  }
  return price;
}

}  // namespace hardware
