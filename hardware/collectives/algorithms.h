// What each algorithm, NCCL's and the inference engines', makes one rank do:
// hops and bytes, no clock.
//
//   Traffic t = RingTraffic({.kind = CollectiveKind::kAllReduce,
//                            .bytes = sim::MiB(8)}, eight_of_one_node);
//   t.link_steps;  // 14 = 2 · (8 - 1)
//   t.link_bytes;  // 14 MiB = 2 · 7/8 · 8 MiB
//
// To add an algorithm: write <name>.cc here, declare its two functions below,
// give it a row in algorithms.cc and constants in calibration/nccl-*.textproto.
#ifndef HARDWARE_COLLECTIVES_ALGORITHMS_H_
#define HARDWARE_COLLECTIVES_ALGORITHMS_H_

#include <cstdint>
#include <span>

#include "absl/strings/string_view.h"
#include "hardware/cluster.h"
#include "hardware/group_shape.h"
#include "models/op.h"
#include "sim/units.h"

namespace hardware {

struct Traffic {
  int64_t link_steps = 0;     // hops between GPUs of a node, one after another
  int64_t network_steps = 0;  // hops between nodes, one after another
  // Bytes sent, per direction.
  sim::Bytes sent;           // by one rank, whatever the way
  sim::Bytes link_bytes;     // by one rank to ranks of its node, on average
  sim::Bytes network_bytes;  // by one node to other nodes
  sim::Bytes spine_bytes;    // by the nodes of one leaf to those of others
  sim::Bytes own_part;       // of one rank: copied or added, not sent
  sim::Bytes memory;         // read and written in one GPU's memory
};

struct CollectiveAlgorithm {
  absl::string_view name;  // as calibration files and reports spell it
  bool (*accepts)(const models::Collective&, const GroupShape&, const Cluster&);
  // REQUIRES: accepts(…), and more than one rank.
  Traffic (*traffic)(const models::Collective&, const GroupShape&);
};

std::span<const CollectiveAlgorithm> CollectiveAlgorithms();
const CollectiveAlgorithm* FindAlgorithm(absl::string_view name);  // or null

bool RingAccepts(const models::Collective&, const GroupShape&, const Cluster&);
Traffic RingTraffic(const models::Collective&, const GroupShape&);
bool TreeAccepts(const models::Collective&, const GroupShape&, const Cluster&);
Traffic TreeTraffic(const models::Collective&, const GroupShape&);
bool NvlsAccepts(const models::Collective&, const GroupShape&, const Cluster&);
Traffic NvlsTraffic(const models::Collective&, const GroupShape&);
bool NvlsTreeAccepts(const models::Collective&, const GroupShape&,
                     const Cluster&);
Traffic NvlsTreeTraffic(const models::Collective&, const GroupShape&);
bool PairwiseAccepts(const models::Collective&, const GroupShape&,
                     const Cluster&);
Traffic PairwiseTraffic(const models::Collective&, const GroupShape&);
bool OneShotAccepts(const models::Collective&, const GroupShape&,
                    const Cluster&);
Traffic OneShotTraffic(const models::Collective&, const GroupShape&);
bool TwoShotAccepts(const models::Collective&, const GroupShape&,
                    const Cluster&);
Traffic TwoShotTraffic(const models::Collective&, const GroupShape&);
bool MultimemAccepts(const models::Collective&, const GroupShape&,
                     const Cluster&);
Traffic MultimemTraffic(const models::Collective&, const GroupShape&);
bool SendRecvAccepts(const models::Collective&, const GroupShape&,
                     const Cluster&);
Traffic SendRecvTraffic(const models::Collective&, const GroupShape&);

// `bytes` times numerator / denominator, rounded up. REQUIRES: denominator > 0.
sim::Bytes PartOf(sim::Bytes bytes, int64_t numerator, int64_t denominator);

}  // namespace hardware

#endif  // HARDWARE_COLLECTIVES_ALGORITHMS_H_
