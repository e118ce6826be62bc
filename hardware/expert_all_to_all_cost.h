// What DeepEP's exchange of tokens between experts takes on an idle machine.
//
//   GroupShape ep = ShapeOf(dgx_h100, {0, 1, 2, 3, 4, 5, 6, 7});
//   PriceOf({.tokens = 4096, .hidden = 7168, .experts = 256, .top_k = 8,
//            .dtype = models::DType::kFp8}, ep, dgx_h100, deep_ep).time;
//   // 0.5 ms: 4096 · 5.3 ranks · 7392 bytes
//
// Normal kernels send a token's row once to each node that has one of its
// experts, over the network to the GPU of the same position there, which
// passes it over NVLink to each rank that has one; combine goes the same way
// back. With a row of B bytes (2 h as BF16), t tokens on each of R ranks, N
// nodes, and models::SpreadOf's counts:
//
//   work    = t ranks (copy + B / copy rate) + t 2 h / token rate
//             + [N > 1] t nodes B / relay rate,  over the kernel's SMs
//   link    = t ranks B (1 - 1 / ranks per node) / (NVLink's rate · efficiency)
//   network = t nodes B (1 - 1 / N) / (NIC's rate · the network's efficiency)
//   time    = start + B / fill rate + [N > 1] network start
//             + log2(N) network step + (work^4 + max(link, network)^4)^(1/4)
//
// Low-latency kernels send it once to each of its top_k experts, 16 bytes of
// header on it to dispatch: link = t top_k B (ranks per node - 1) / R, network
// = t top_k B (1 - 1 / N); their work is only reading whole tokens, ceil(t / S)
// 2 h / token rate on each of as many SMs as the experts fill: S = ceil(E /
// ceil(E / SMs of the GPU)).
//
// What the law assumes: a network whose leaves do not block, ranks that come at
// once, NVLink between the ranks of a node.
#ifndef HARDWARE_EXPERT_ALL_TO_ALL_COST_H_
#define HARDWARE_EXPERT_ALL_TO_ALL_COST_H_

#include "hardware/cluster.h"
#include "hardware/collective_cost.h"
#include "hardware/deep_ep.h"
#include "hardware/group_shape.h"
#include "models/expert_all_to_all.h"

namespace hardware {

// `algorithm` is "deepep", `protocol` the mode. REQUIRES: the shape is one of
// this cluster, with NVLink and as many ranks in each node.
CollectivePrice PriceOf(const models::ExpertAllToAll& exchange,
                        const GroupShape& shape, const Cluster& cluster,
                        const DeepEp& deep_ep);

}  // namespace hardware

#endif  // HARDWARE_EXPERT_ALL_TO_ALL_COST_H_
