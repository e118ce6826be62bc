// All-reduce in the NVSwitches of one node (NVLink SHARP): each rank lets the
// switch add 1/n of the data as it reads it from all ranks, and writes the sum
// once, which the switch multicasts. A GPU sends its data up once and the sums
// of its own part: (n-1)/n + 1/n = the data, once.
//
// NCCL's kernels work in buffers that the switch can address, so data is copied
// into and out of them: read and written twice each, besides the traffic of the
// switch, which reads and writes it once.
//
// NCCL uses it for sums of floating-point numbers, and in a node for five GPUs
// or more (measured on eight H200: stas00/ml-engineering, working notes on
// network/README.md). Over several nodes, the parts are reduced further over
// the two trees of tree.cc, node by node, each rank its part.
#include <algorithm>

#include "hardware/collectives/algorithms.h"

namespace hardware {
namespace {

bool SwitchAdds(const models::Collective& collective, const GroupShape& shape,
                const Cluster& cluster) {
  const bool floating = collective.dtype == models::DType::kFp32 ||
                        collective.dtype == models::DType::kTf32 ||
                        collective.dtype == models::DType::kFp16 ||
                        collective.dtype == models::DType::kBf16;
  return collective.kind == models::CollectiveKind::kAllReduce && floating &&
         cluster.in_switch_reduction && shape.min_ranks_per_node > 4;
}

}  // namespace

bool NvlsAccepts(const models::Collective& collective, const GroupShape& shape,
                 const Cluster& cluster) {
  return shape.nodes == 1 && SwitchAdds(collective, shape, cluster);
}

Traffic NvlsTraffic(const models::Collective& collective, const GroupShape&) {
  Traffic t;
  t.sent = t.link_bytes = collective.bytes;
  t.memory = collective.bytes * 6;
  return t;
}

bool NvlsTreeAccepts(const models::Collective& collective,
                     const GroupShape& shape, const Cluster& cluster) {
  return shape.nodes > 1 && SwitchAdds(collective, shape, cluster);
}

Traffic NvlsTreeTraffic(const models::Collective& collective,
                        const GroupShape& shape) {
  Traffic t = TreeTraffic(collective, shape);
  t.link_steps = 0;
  t.own_part = sim::Bytes(0);
  t.sent = t.link_bytes = collective.bytes;
  t.memory = collective.bytes * 6;
  return t;
}

}  // namespace hardware
