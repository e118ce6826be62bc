// What a collective needs of the links of a GPU.
//
//   LinkParts parts = PartsOf({.link = 0.8e-3, .network = 0.5e-3}, 1e-3,
//                             shape, cluster);
//   parts.nvlink;  // 819 / 1024: its bytes fill NVLink for 0.8 of 1 ms
//
// A collective's start-up and its hops need no bandwidth. So of its whole time
// it needs a link for as long as its bytes take there alone, as its protocol
// moves them; spread over its time, that is a part of the link's bandwidth. Of
// the NICs of a server each GPU has an equal share, and a group of few ranks
// may reach no more than its part of it; what goes over a NIC also crosses the
// PCIe link of its GPU (GPUDirect RDMA).
#ifndef HARDWARE_LINK_PARTS_H_
#define HARDWARE_LINK_PARTS_H_

#include <cstdint>

#include "hardware/cluster.h"
#include "hardware/group_shape.h"

namespace hardware {

// Of 1024, per direction.
struct LinkParts {
  uint16_t nvlink = 0;
  uint16_t nic = 0;
  uint16_t pcie = 0;

  friend bool operator==(const LinkParts&, const LinkParts&) = default;
};

// Seconds that a collective's bytes take: of one rank over the links of its
// node, of the group over its share of the NICs.
struct LinkSeconds {
  double link = 0;
  double network = 0;
};

// REQUIRES: seconds > 0; the shape is one of this cluster.
LinkParts PartsOf(const LinkSeconds& busy, double seconds,
                  const GroupShape& shape, const Cluster& cluster);

}  // namespace hardware

#endif  // HARDWARE_LINK_PARTS_H_
