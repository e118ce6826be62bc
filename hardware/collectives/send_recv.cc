// Each rank sends its message to the next rank of the group, as pipeline stages
// do. In the last rank of a node, it crosses the network; below one leaf, the
// last node's crosses the spine.
#include "hardware/collectives/algorithms.h"

namespace hardware {

bool SendRecvAccepts(const models::Collective& collective, const GroupShape&,
                     const Cluster&) {
  return collective.kind == models::CollectiveKind::kSendRecv;
}

Traffic SendRecvTraffic(const models::Collective& collective,
                        const GroupShape& shape) {
  Traffic t;
  t.sent = collective.bytes;
  t.memory = collective.bytes * 2;
  if (shape.max_ranks_per_node > 1) {
    t.link_steps = 1;
    t.link_bytes = collective.bytes;
  }
  if (shape.nodes > 1) {
    t.network_steps = 1;
    t.network_bytes = collective.bytes;
    if (shape.leaves > 1) t.spine_bytes = collective.bytes;
  }
  return t;
}

}  // namespace hardware
