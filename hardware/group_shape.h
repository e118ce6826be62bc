// How the ranks of a process group lie in the cluster, and the bandwidth they
// find there. All that the price of a collective depends on.
//
//   // 2 DGX H100, tensor parallel 8: rank 0 of each stage and its peer
//   GroupShape s = ShapeOf(cluster, std::vector<int>{0, 8});
//   s.nodes;            // 2, one rank in each
//   s.groups_per_node;  // 8: the other ranks have such a group, too
//   s.network_rate;     // 50 GB/s per server: an eighth of its eight NICs
//
// Ranks fill servers: rank r is GPU r % gpus_per_node of server
// r / gpus_per_node.
#ifndef HARDWARE_GROUP_SHAPE_H_
#define HARDWARE_GROUP_SHAPE_H_

#include <span>

#include "hardware/cluster.h"
#include "sim/units.h"

namespace hardware {

struct GroupShape {
  int ranks = 1;
  int nodes = 1;               // that hold at least one of its ranks
  int min_ranks_per_node = 1;  // of those nodes
  int max_ranks_per_node = 1;
  // Groups like this one that talk at the same time in one node, this one
  // included: they share its NICs.
  int groups_per_node = 1;

  bool nvlink = false;            // else PCIe, for ranks of one node
  sim::BytesPerSecond link_rate;  // one rank to its peers of the node

  // Zero where nodes == 1. Per direction, for payload and protocol together.
  sim::BytesPerSecond network_rate;  // the group's share of one node's NICs
  int leaves = 1;                    // leaf switches its nodes are below
  int nodes_per_leaf = 1;            // fewest of its nodes below one leaf
  // Its share of the links from one leaf to the spine; zero where leaves == 1.
  sim::BytesPerSecond spine_rate;

  friend bool operator==(const GroupShape&, const GroupShape&) = default;
};

// The shape of the group of these global ranks. `groups_per_node` such groups
// talk at once in each node; 0 stands for as many as the node has room for,
// which is how parallel training runs them.
// REQUIRES: ranks is not empty, has no rank twice and is below cluster.ranks().
// Cost: O(ranks log ranks).
GroupShape ShapeOf(const Cluster& cluster, std::span<const int> ranks,
                   int groups_per_node = 0);

}  // namespace hardware

#endif  // HARDWARE_GROUP_SHAPE_H_
