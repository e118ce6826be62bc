// All-to-all: every rank sends 1/n of its buffer straight to each of the
// others.
//
// NCCL posts the n-1 sends and receives of a rank together; they start one
// after another, a step each. Of a rank's bytes, the parts for ranks of other
// nodes leave over the NICs.
#include "hardware/collectives/algorithms.h"

namespace hardware {

bool PairwiseAccepts(const models::Collective& collective, const GroupShape&,
                     const Cluster&) {
  return collective.kind == models::CollectiveKind::kAllToAll;
}

Traffic PairwiseTraffic(const models::Collective& collective,
                        const GroupShape& shape) {
  const int64_t n = shape.ranks;
  const int64_t here = shape.max_ranks_per_node;
  const int64_t far = n - shape.min_ranks_per_node;

  Traffic t;
  t.link_steps = here - 1;
  t.sent = PartOf(collective.bytes, n - 1, n);
  t.link_bytes = PartOf(collective.bytes, here - 1, n);
  if (shape.nodes > 1) {
    t.network_steps = far;
    t.network_bytes = PartOf(collective.bytes, here * far, n);
    if (shape.leaves > 1) {
      const int64_t below = here * shape.nodes_per_leaf;
      t.spine_bytes = PartOf(collective.bytes, below * (n - below), n);
    }
  }
  t.own_part = PartOf(collective.bytes, 1, n);
  t.memory = collective.bytes * 2;
  return t;
}

}  // namespace hardware
