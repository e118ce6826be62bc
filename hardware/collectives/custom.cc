// All-reduce by the peer-to-peer kernels of inference engines, whose ranks map
// each other's buffers (vLLM's and SGLang's custom_all_reduce.cuh,
// TensorRT-LLM's allReduceKernels.cu, PyTorch's symmetric memory). They move
// little data in few steps where NCCL's rings take many, and stay in one node.
//
//   one-shot   every rank reads the buffers of all others and adds them:
//              (n-1) times the data into each rank, one barrier
//   two-shot   every rank adds its n-th of all buffers, then reads the sums of
//              the others: 2(n-1)/n of the data, two barriers
//   multimem   two-shot with the additions and copies made in the NVSwitch, as
//              nvls.cc: the data once
//
// Barriers write a flag to every peer: a step each. Memory: what is read from a
// rank, its own part of the additions, and the sums written.
#include "hardware/collectives/algorithms.h"

namespace hardware {
namespace {

bool PeersAdd(const models::Collective& collective, const GroupShape& shape) {
  return collective.kind == models::CollectiveKind::kAllReduce &&
         collective.library != models::AllReduceLibrary::kNccl &&
         shape.nodes == 1 && shape.nvlink;
}

Traffic Kernel(const models::Collective& collective, const GroupShape& shape,
               sim::Bytes sent) {
  Traffic t;
  t.link_steps = shape.ranks - 1;
  t.sent = t.link_bytes = sent;
  t.memory = sent + collective.bytes * 2;
  return t;
}

}  // namespace

bool OneShotAccepts(const models::Collective& collective,
                    const GroupShape& shape, const Cluster&) {
  return PeersAdd(collective, shape);
}

Traffic OneShotTraffic(const models::Collective& collective,
                       const GroupShape& shape) {
  return Kernel(collective, shape, collective.bytes * (shape.ranks - 1));
}

bool TwoShotAccepts(const models::Collective& collective,
                    const GroupShape& shape, const Cluster&) {
  return PeersAdd(collective, shape);
}

Traffic TwoShotTraffic(const models::Collective& collective,
                       const GroupShape& shape) {
  return Kernel(collective, shape,
                PartOf(collective.bytes, 2 * (shape.ranks - 1), shape.ranks));
}

bool MultimemAccepts(const models::Collective& collective,
                     const GroupShape& shape, const Cluster& cluster) {
  return PeersAdd(collective, shape) && cluster.in_switch_reduction;
}

Traffic MultimemTraffic(const models::Collective& collective,
                        const GroupShape& shape) {
  return Kernel(collective, shape, collective.bytes);
}

}  // namespace hardware
