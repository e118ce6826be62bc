// What a collective takes on an idle machine, as NCCL runs it.
//
//   GroupShape tp = ShapeOf(dgx_h100, {0, 1, 2, 3, 4, 5, 6, 7});
//   CollectivePrice p = PriceOf({.kind = CollectiveKind::kAllReduce,
//                                .bytes = sim::MiB(64)}, tp, dgx_h100);
//   p.time;       // 0.32 ms
//   p.algorithm;  // "nvls"
//
// For each algorithm that can run (collectives/algorithms.h) and each protocol
// it has on these links (calibration/nccl-*.textproto):
//
//   time = start + link steps · step
//        + network start + network steps · (network step + switches passed)
//        + the longest of  bytes sent    / (link rate · efficiency),
//                          network bytes / (NIC share · payload · efficiency),
//                          spine bytes   / (share of the spine · the same)
//        + own part / own-part rate
//
// (a rank sends on its channels, at the pace of the link to its peers at most,
// also what goes on to the network) and the least of these is the price, as
// NCCL picks the algorithm and protocol that its own tuning model calls
// fastest. "Network start" is longer for protocol Simple, whose chunks are
// large (nccl.proto). Where an inference engine runs an all-reduce of its own
// (custom_all_reduce.h), the same formula prices it. A copy of the data
// beforehand is read and written once.
//
// What the law assumes: nothing else uses the group's links, its share of the
// NICs and of the spine (`links` says what it needs of them, for a simulation
// in which others do); all ranks come at once; routes of a leaf's flows do
// not collide beyond the network's own efficiency (networks/*.textproto).
#ifndef HARDWARE_COLLECTIVE_COST_H_
#define HARDWARE_COLLECTIVE_COST_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "hardware/cluster.h"
#include "hardware/group_shape.h"
#include "hardware/link_parts.h"
#include "models/op.h"
#include "sim/units.h"

namespace hardware {

struct CollectivePrice {
  sim::Duration time;           // 0 for a group of one rank or no bytes
  absl::string_view algorithm;  // "ring"; empty where time is 0
  std::string protocol;         // "LL128"
  sim::Bytes wire_bytes;        // leave a rank for its peers, protocol excluded
  // Parts per 1024 of the GPU that it takes from kernels beside it: thread
  // blocks over multiprocessors (each NCCL channel is one block that stays on
  // one multiprocessor; across nodes, a fixed number per NIC of the group), and
  // memory traffic over time and bandwidth.
  uint16_t takes_compute = 0;
  uint16_t takes_memory = 0;
  LinkParts links = {};  // what it needs of each rank's links
};

// REQUIRES: the shape is one of this cluster.
CollectivePrice PriceOf(const models::Collective& collective,
                        const GroupShape& shape, const Cluster& cluster);

}  // namespace hardware

#endif  // HARDWARE_COLLECTIVE_COST_H_
