// What a server has beside its GPUs, for the state and the work that training
// moves there: PCIe links, memory, drives.
//
//   const HostSpec& host = *cluster.host;
//   host.pcie;    // 55.6 GB/s each way, between pinned memory and a GPU
//   host.memory;  // 614 GB/s, all channels of all sockets
//
// The `host { … }` of hardware/cluster.proto is the reference of the fields.
#ifndef HARDWARE_HOST_H_
#define HARDWARE_HOST_H_

#include "absl/status/statusor.h"
#include "sim/units.h"

namespace sim {
class TextField;
}

namespace hardware {

namespace proto {
class Host;
}

struct HostSpec {
  sim::BytesPerSecond pcie;      // of one link, per direction
  int gpus_per_pcie_switch = 1;  // that share a link
  sim::BytesPerSecond memory;    // peak
  int disks = 0;
  sim::BytesPerSecond disk_read, disk_write;  // of one drive
  sim::Bytes disk_capacity;                   // of all drives
};

// Fails on a number that is missing or out of range; `place` is where the
// message stands.
absl::StatusOr<HostSpec> HostOf(const proto::Host& host,
                                const sim::TextField& place);

}  // namespace hardware

#endif  // HARDWARE_HOST_H_
