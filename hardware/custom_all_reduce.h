// Which of its own all-reduce kernels an inference engine runs, and their
// constants; collectives/custom.cc says what the kernels do.
//
//   // vLLM on eight H100, 64 KiB:
//   const CustomKernel* k = CustomKernelFor(nccl.custom, all_reduce, shape,
//   dgx); k->cost.algorithm;  // "one-shot"
//
// Engines choose by size, as vLLM's all_reduce_utils.py does: the first kernel
// of the library with a rule that admits the group and the bytes runs; without
// one, NCCL does. To add an engine: an enumerator of models::AllReduceLibrary
// and its kernels in hardware/calibration/nccl-*.textproto.
#ifndef HARDWARE_CUSTOM_ALL_REDUCE_H_
#define HARDWARE_CUSTOM_ALL_REDUCE_H_

#include <span>

#include "absl/status/statusor.h"
#include "hardware/nccl.h"
#include "models/op.h"

namespace sim {
class TextField;
}

namespace hardware {

namespace proto {
class CustomAllReduce;
}

struct Cluster;
struct GroupShape;

// The kernel that runs, or null for NCCL's. REQUIRES: a collective of more than
// one rank; the shape is one of this cluster.
const CustomKernel* CustomKernelFor(std::span<const CustomKernel> kernels,
                                    const models::Collective& collective,
                                    const GroupShape& shape,
                                    const Cluster& cluster);

// `place` is where `message` stands. Fails on a field that is missing, unknown
// or out of range.
absl::StatusOr<CustomKernel> CustomKernelOf(
    const proto::CustomAllReduce& message, const sim::TextField& place);

}  // namespace hardware

#endif  // HARDWARE_CUSTOM_ALL_REDUCE_H_
