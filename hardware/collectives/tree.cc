// All-reduce over two binary trees of nodes, each for half of the data, so that
// a node which is a leaf in one is inside the other (Sanders, Speck, Träff,
// "Two-tree algorithms for full bandwidth broadcast, reduction and scan",
// Parallel Computing 35, 2009). Within a node, ranks form a chain.
//
// Up and down: 2 · (ranks per node - 1) hops along the chain and 2 ·
// log2(nodes) between nodes. Of two nodes, each is the parent in one tree and
// the child in the other: half of the data up, half down. Of more, the busiest
// sends twice the data: half up and half down to each of two children where it
// is inside, half up where it is a leaf. Trees are built over neighbours, so a
// leaf switch sees the traffic of two nodes leave.
#include <algorithm>
#include <bit>

#include "hardware/collectives/algorithms.h"

namespace hardware {

bool TreeAccepts(const models::Collective& collective, const GroupShape&,
                 const Cluster&) {
  return collective.kind == models::CollectiveKind::kAllReduce;
}

Traffic TreeTraffic(const models::Collective& collective,
                    const GroupShape& shape) {
  const int64_t chain = shape.max_ranks_per_node;
  const int64_t nodes = shape.nodes;
  // Of a tree of `nodes` nodes: 0 for one node, 1 for two, 2 for three or four.
  const auto depth =
      static_cast<int64_t>(std::bit_width(static_cast<uint64_t>(nodes - 1)));

  Traffic t;
  t.link_steps = 2 * (chain - 1);
  t.network_steps = 2 * depth;
  t.link_bytes = PartOf(collective.bytes, 2 * (chain - 1), chain);
  if (nodes > 1) t.network_bytes = collective.bytes * (nodes == 2 ? 1 : 2);
  t.sent = chain > 1 ? t.link_bytes : t.network_bytes;
  if (shape.leaves > 1) {
    t.spine_bytes = t.network_bytes * std::min(2, shape.nodes_per_leaf);
  }
  if (chain > 1) t.own_part = PartOf(collective.bytes, 1, chain);
  t.memory = PartOf(collective.bytes, 5 * (shape.ranks - 1), shape.ranks);
  return t;
}

}  // namespace hardware
