// What NCCL makes of links: start-up, latency per hop, part of the line rate.
//
//   Nccl nccl = *LoadNccl("hopper");
//   nccl.nvlink[0].step;  // 0.84 us from GPU to GPU, ring, protocol LL
//
// To add an architecture: hardware/calibration/nccl-<name>.textproto. To add a
// kind of network: hardware/networks/<name>.textproto. Fields: nccl.proto.
#ifndef HARDWARE_NCCL_H_
#define HARDWARE_NCCL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/op.h"
#include "sim/units.h"

namespace hardware {

// One algorithm with one protocol on one kind of link.
struct NcclProtocol {
  std::string algorithm;         // "ring"
  std::string protocol;          // "LL", "LL128", "Simple"
  sim::Duration start;           // once
  sim::Duration step;            // per hop to the next GPU of the server
  double link_efficiency = 1;    // payload over the link's rate, (0, 1]
  sim::BytesPerSecond own_part;  // copying what is not received; 0: in no time
  int channels = 1;              // multiprocessors it holds
  // Between servers.
  sim::Duration network_step;    // per hop
  double network_payload = 1;    // payload over bytes on the wire, (0, 1]
  double lone_rank_payload = 1;  // the same with one rank per server
  int channels_per_nic = 2;      // multiprocessors it holds per port
};

// A kernel of an inference engine that runs instead (custom_all_reduce.h).
struct CustomKernel {
  struct Use {
    int most_ranks = 0;
    int64_t most_bytes = 0;
  };
  models::AllReduceLibrary library = models::AllReduceLibrary::kNccl;
  NcclProtocol cost;  // its `protocol` is the library's name
  std::vector<Use> uses;
  bool when_faster = false;  // than NCCL; else always
};

struct Nccl {
  std::vector<NcclProtocol> nvlink, pcie;
  std::vector<CustomKernel> custom;  // over NVLink
  // A copy of the data into a buffer that peers can read: its launch, and the
  // part of the memory's bandwidth that it reaches, (0, 1].
  sim::Duration copy_start;
  double copy_efficiency = 1;
};

// A kind of network: InfiniBand, RoCE, EFA, …
struct NetworkKind {
  std::string name;
  sim::Duration start;             // once per collective that leaves a server
  sim::Duration simple_start;      // once more with protocol Simple
  sim::Duration step;              // per hop to the next server
  double efficiency = 1;           // bytes on the wire over line rate, (0, 1]
  double training_efficiency = 1;  // likewise, in training
  bool ll128 = true;               // carries protocol LL128
};

// By name of the file, as above. Fails on an unknown name, suggesting another,
// and on a field that is missing or out of range.
absl::StatusOr<Nccl> LoadNccl(absl::string_view architecture);
absl::StatusOr<NetworkKind> LoadNetworkKind(absl::string_view name);

}  // namespace hardware

#endif  // HARDWARE_NCCL_H_
