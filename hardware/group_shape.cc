#include "hardware/group_shape.h"

#include <algorithm>
#include <cassert>
#include <vector>

namespace hardware {
namespace {

struct Counts {
  int kinds, fewest, most;
};

// How often equal values follow each other in a sorted list.
Counts CountRuns(std::span<const int> sorted) {
  Counts counts{0, static_cast<int>(sorted.size()), 0};
  for (size_t begin = 0; begin < sorted.size();) {
    size_t end = begin;
    while (end < sorted.size() && sorted[end] == sorted[begin]) ++end;
    const int length = static_cast<int>(end - begin);
    counts.fewest = std::min(counts.fewest, length);
    counts.most = std::max(counts.most, length);
    ++counts.kinds;
    begin = end;
  }
  return counts;
}

// True if all ranks of one node reach each other over NVLink.
bool OverNvlink(const Cluster& cluster, std::span<const int> sorted) {
  if (cluster.gpu_link == GpuLink::kNvSwitch) return true;
  if (cluster.gpu_link == GpuLink::kPcie) return false;
  const auto same_pair = [&](int a, int b) {
    const int of_a = a % cluster.gpus_per_node,
              of_b = b % cluster.gpus_per_node;
    return of_a / 2 == of_b / 2;
  };
  for (size_t i = 1; i < sorted.size(); ++i) {
    const int a = sorted[i - 1], b = sorted[i];
    const bool same_node =
        a / cluster.gpus_per_node == b / cluster.gpus_per_node;
    if (same_node && !same_pair(a, b)) return false;
  }
  return true;
}

// What the group's ranks of one node can send to others. Each GPU drives its
// nearest NICs, as fast as its PCIe link lets it; groups that talk at once
// share the node's NICs.
sim::BytesPerSecond NetworkRate(const Cluster& cluster,
                                const GroupShape& shape) {
  const double nics = cluster.nics_per_node;
  const double per_gpu = std::max(1.0, nics / cluster.gpus_per_node);
  const double one_gpu = std::min(per_gpu * cluster.nic_rate.count(),
                                  cluster.gpu.pcie_bandwidth.count());
  return sim::BytesPerSecond(
      std::min(shape.min_ranks_per_node * one_gpu,
               nics / shape.groups_per_node * cluster.nic_rate.count()));
}

}  // namespace

GroupShape ShapeOf(const Cluster& cluster, std::span<const int> ranks,
                   int groups_per_node) {
  assert(!ranks.empty());
  std::vector<int> sorted(ranks.begin(), ranks.end());
  std::sort(sorted.begin(), sorted.end());
  assert(sorted.front() >= 0 && sorted.back() < cluster.ranks());

  std::vector<int> node(sorted.size());
  std::transform(sorted.begin(), sorted.end(), node.begin(),
                 [&](int rank) { return rank / cluster.gpus_per_node; });
  const Counts per_node = CountRuns(node);

  GroupShape shape;
  shape.ranks = static_cast<int>(sorted.size());
  shape.nodes = per_node.kinds;
  shape.min_ranks_per_node = per_node.fewest;
  shape.max_ranks_per_node = per_node.most;
  shape.groups_per_node =
      groups_per_node > 0
          ? groups_per_node
          : std::max(1, cluster.gpus_per_node / shape.max_ranks_per_node);
  shape.nvlink = OverNvlink(cluster, sorted);
  shape.link_rate =
      shape.nvlink ? cluster.nvlink_rate : cluster.gpu.pcie_bandwidth;
  if (shape.nodes == 1) return shape;

  node.erase(std::unique(node.begin(), node.end()), node.end());
  for (int& n : node) n /= cluster.nodes_per_leaf;
  const Counts per_leaf = CountRuns(node);
  shape.leaves = per_leaf.kinds;
  shape.nodes_per_leaf = per_leaf.fewest;
  shape.network_rate = NetworkRate(cluster, shape);
  if (shape.leaves > 1) {
    shape.spine_rate =
        shape.network_rate * (shape.nodes_per_leaf / cluster.oversubscription);
  }
  return shape;
}

}  // namespace hardware
