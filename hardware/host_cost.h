// What a rank's copy to or from host memory, its work on the host's CPU, and its
// use of the drives take while every GPU of the server does the same.
//
//   // 1 GB from an A100 of a DGX, two GPUs below each switch at 24.8 GB/s:
//   PriceOnHost({.kind = CollectiveKind::kCopy, .axis = Axis::kToHost,
//                .bytes = GB(1)}, dgx_a100).time;  // 80.6 ms
//
// Shares are fixed and fair: the rate over the GPUs that use it. All ranks of a
// server run the same script, so that they copy, update and read at once. Copies
// in opposite directions do not slow each other; a drive reads or writes. Work on
// the CPU is a pass over memory: its bytes over the server's bandwidth times
// kUpdateEfficiency. What copies take of the memory bandwidth is left out.
#ifndef HARDWARE_HOST_COST_H_
#define HARDWARE_HOST_COST_H_

#include "hardware/cluster.h"
#include "hardware/collective_cost.h"
#include "models/op.h"

namespace hardware {

// Part of the peak memory bandwidth that DeepSpeed's CPU-Adam reaches: Ren et al.
// 2021 (ZeRO-Offload, arXiv:2101.06840), table 4: 2.57 s for 10 billion
// parameters, of each of which it reads 16 bytes and writes 12, on the two Xeon
// 8168 of a DGX-2, twelve channels of DDR4-2666: 256 GB/s.
// 28 · 10^10 B / 2.57 s / 256 GB/s.
inline constexpr double kUpdateEfficiency = 0.426;

// REQUIRES: models::IsOnHost(collective.axis), cluster.host; a drive where it is
// asked for.
CollectivePrice PriceOnHost(const models::Collective& collective,
                            const Cluster& cluster);

}  // namespace hardware

#endif  // HARDWARE_HOST_COST_H_
