#include "hardware/topology.h"

#include <algorithm>
#include <array>
#include <boost/graph/compressed_sparse_row_graph.hpp>
#include <boost/graph/dijkstra_shortest_paths.hpp>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace hardware {
namespace {

// Adds the devices of a cluster, node by node, then the switches.
class Builder {
 public:
  Builder(const Cluster& cluster, std::vector<Device>& devices,
          std::vector<PhysicalLink>& links)
      : cluster_(cluster), devices_(devices), links_(links) {}

  void Build() {
    for (int rank = 0; rank < cluster_.ranks(); ++rank) Add(DeviceKind::kGpu);
    for (int node = 0; node < cluster_.nodes; ++node) AddNode(node);
    if (cluster_.nics_per_node > 0) AddSwitches();
  }

 private:
  int Add(DeviceKind kind) {
    devices_.push_back({kind, counts_[static_cast<size_t>(kind)]++});
    return static_cast<int>(devices_.size()) - 1;
  }
  void Connect(int from, int to, sim::BytesPerSecond rate) {
    links_.push_back({from, to, rate, rate});
  }

  void AddNode(int node) {
    const int first = node * cluster_.gpus_per_node;
    AddNvlink(first);
    // A PCIe switch per NIC; the GPUs share them evenly. They meet at the host.
    const int switches = std::max(1, cluster_.nics_per_node);
    std::vector<int> pcie;
    for (int i = 0; i < switches; ++i) {
      pcie.push_back(Add(DeviceKind::kPcie));
      if (i > 0) Connect(pcie[0], pcie.back(), cluster_.gpu.pcie_bandwidth);
    }
    for (int i = 0; i < cluster_.nics_per_node; ++i) {
      nics_.push_back(Add(DeviceKind::kNic));
      Connect(pcie[static_cast<size_t>(i)], nics_.back(), cluster_.nic_rate);
    }
    for (int gpu = 0; gpu < cluster_.gpus_per_node; ++gpu) {
      const int at = gpu * switches / cluster_.gpus_per_node;
      Connect(first + gpu, pcie[static_cast<size_t>(at)],
              cluster_.gpu.pcie_bandwidth);
    }
  }

  void AddNvlink(int first) {
    if (cluster_.gpu_link == GpuLink::kNvSwitch) {
      const int nvswitch = Add(DeviceKind::kNvSwitch);
      for (int gpu = 0; gpu < cluster_.gpus_per_node; ++gpu) {
        Connect(first + gpu, nvswitch, cluster_.nvlink_rate);
      }
    }
    if (cluster_.gpu_link == GpuLink::kNvlinkPairs) {
      for (int gpu = 0; gpu + 1 < cluster_.gpus_per_node; gpu += 2) {
        Connect(first + gpu, first + gpu + 1, cluster_.nvlink_rate);
      }
    }
  }

  // Blocks of nodes_per_leaf nodes: a leaf for each NIC position if there are
  // rails, else one; all joined by the spine.
  void AddSwitches() {
    const int spine = Add(DeviceKind::kSpine);
    const int positions = cluster_.rails ? cluster_.nics_per_node : 1;
    for (int node = 0; node < cluster_.nodes; node += cluster_.nodes_per_leaf) {
      const int end = std::min(cluster_.nodes, node + cluster_.nodes_per_leaf);
      for (int position = 0; position < positions; ++position) {
        AddLeaf(spine, node, end, position, positions);
      }
    }
  }

  // Connects the NICs at position, position + stride, … of each node.
  void AddLeaf(int spine, int first_node, int end_node, int position,
               int stride) {
    const int leaf = Add(DeviceKind::kLeaf);
    int ports = 0;
    for (int node = first_node; node < end_node; ++node) {
      for (int i = position; i < cluster_.nics_per_node; i += stride) {
        const int nic =
            nics_[static_cast<size_t>(node * cluster_.nics_per_node + i)];
        Connect(nic, leaf, cluster_.nic_rate);
        ++ports;
      }
    }
    const double up = ports / cluster_.oversubscription;
    links_.push_back({leaf, spine, cluster_.nic_rate,
                      sim::BytesPerSecond(cluster_.nic_rate.count() * up)});
  }

  const Cluster& cluster_;
  std::vector<Device>& devices_;
  std::vector<PhysicalLink>& links_;
  std::vector<int> nics_;
  std::array<int, 6> counts_ = {};
};

absl::string_view NameOf(DeviceKind kind) {
  constexpr absl::string_view kNames[] = {"gpu", "nvswitch", "pcie",
                                          "nic", "leaf",     "spine"};
  return kNames[static_cast<size_t>(kind)];
}

}  // namespace

struct Topology::Graph {
  struct Hop {
    double seconds_per_byte = 0;
    uint32_t link = 0;  // row of links()
  };
  using Rows =
      boost::compressed_sparse_row_graph<boost::directedS, boost::no_property,
                                         Hop, boost::no_property, uint32_t,
                                         uint32_t>;
  Rows rows;
};

Topology::Topology(const Cluster& cluster) {
  Builder(cluster, devices_, links_).Build();
  std::vector<std::pair<uint32_t, uint32_t>> edges;
  std::vector<Graph::Hop> hops;
  for (size_t i = 0; i < links_.size(); ++i) {
    const auto from = static_cast<uint32_t>(links_[i].from);
    const auto to = static_cast<uint32_t>(links_[i].to);
    const Graph::Hop hop{1 / links_[i].rate.count(), static_cast<uint32_t>(i)};
    edges.insert(edges.end(), {{from, to}, {to, from}});
    hops.insert(hops.end(), {hop, hop});
  }
  graph_ = std::make_unique<const Graph>(Graph{Graph::Rows(
      boost::edges_are_unsorted_multi_pass, edges.begin(), edges.end(),
      hops.begin(), static_cast<uint32_t>(devices_.size()))});
}

Topology::~Topology() = default;

Route Topology::RouteBetween(int from_rank, int to_rank) const {
  const Graph::Rows& rows = graph_->rows;
  std::vector<uint32_t> before(devices_.size());
  std::vector<double> cost(devices_.size());
  boost::dijkstra_shortest_paths(
      rows, static_cast<uint32_t>(from_rank),
      boost::weight_map(boost::get(&Graph::Hop::seconds_per_byte, rows))
          .predecessor_map(boost::make_iterator_property_map(
              before.begin(), boost::get(boost::vertex_index, rows)))
          .distance_map(boost::make_iterator_property_map(
              cost.begin(), boost::get(boost::vertex_index, rows))));

  Route route;
  auto at = static_cast<uint32_t>(to_rank);
  if (from_rank != to_rank && before[at] == at) return route;  // not reached
  route.rate = sim::BytesPerSecond(std::numeric_limits<double>::infinity());
  route.devices.push_back(to_rank);
  while (at != static_cast<uint32_t>(from_rank)) {
    const uint32_t previous = before[at];
    const Graph::Hop& hop = rows[boost::edge(previous, at, rows).first];
    route.rate = std::min(route.rate, links_[hop.link].rate);
    route.devices.push_back(static_cast<int>(previous));
    at = previous;
  }
  std::reverse(route.devices.begin(), route.devices.end());
  for (const int device : route.devices) {
    const DeviceKind kind = devices_[static_cast<size_t>(device)].kind;
    if (kind == DeviceKind::kLeaf || kind == DeviceKind::kSpine) {
      ++route.switches;
    }
  }
  return route;
}

std::string Topology::Dump(const Route& route) const {
  return absl::StrJoin(route.devices, " ", [this](std::string* out, int row) {
    const Device& device = devices_[static_cast<size_t>(row)];
    absl::StrAppend(out, NameOf(device.kind), device.index);
  });
}

}  // namespace hardware
