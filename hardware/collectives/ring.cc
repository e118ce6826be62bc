// Ranks form a ring that enters and leaves each node once, and pass parts of
// 1/n of the data to the right-hand neighbour.
//
//   all-gather, reduce-scatter  n-1 hops, (n-1)/n of the data over every link
//   all-reduce                  both, one after the other
//   broadcast                   n-1 hops, the whole data over every link
//
// Of n-1 hops, `nodes` cross the network (one fewer where each node has one
// rank). NCCL runs as many rings as there are channels and lets each leave the
// node by another NIC, so the group's share of the NICs carries the ring's
// bytes once, and the link of a rank to its node those of the rings that do not
// leave there. Nodes below one leaf are neighbours, so one node's bytes leave
// it.
//
// Memory: a copied byte is read once and written once. A reduced one is read
// from the peer's buffer and from one's own, and written.
#include <algorithm>

#include "hardware/collectives/algorithms.h"

namespace hardware {

using models::CollectiveKind;

bool RingAccepts(const models::Collective& collective, const GroupShape&,
                 const Cluster&) {
  switch (collective.kind) {
    case CollectiveKind::kAllReduce:
    case CollectiveKind::kAllGather:
    case CollectiveKind::kReduceScatter:
    case CollectiveKind::kBroadcast:
      return true;
    default:
      return false;
  }
}

Traffic RingTraffic(const models::Collective& collective,
                    const GroupShape& shape) {
  const CollectiveKind kind = collective.kind;
  const int64_t n = shape.ranks;
  const int64_t rounds = kind == CollectiveKind::kAllReduce ? 2 : 1;
  const sim::Bytes received = kind == CollectiveKind::kBroadcast
                                  ? collective.bytes
                                  : PartOf(collective.bytes, n - 1, n);
  const sim::Bytes sent = received * rounds;
  const bool adds = kind == CollectiveKind::kAllReduce ||
                    kind == CollectiveKind::kReduceScatter;
  const bool copies = kind != CollectiveKind::kReduceScatter;

  Traffic t;
  t.sent = sent;
  if (shape.nodes > 1) {
    t.network_steps = rounds * std::min<int64_t>(shape.nodes, n - 1);
    t.network_bytes = sent;
    if (shape.leaves > 1) t.spine_bytes = sent;
  }
  t.link_steps = rounds * (n - 1) - t.network_steps;
  const int64_t here = shape.max_ranks_per_node;
  t.link_bytes = shape.nodes > 1 ? PartOf(sent, here - 1, here) : sent;
  if (kind != CollectiveKind::kBroadcast) {
    t.own_part = PartOf(collective.bytes, 1, n);
  }
  t.memory = received * ((adds ? 3 : 0) + (copies ? 2 : 0));
  return t;
}

}  // namespace hardware
