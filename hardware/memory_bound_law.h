// The constants of kernels bound by memory, by family and kind;
// memory_bound_cost.h states the law, calibration.proto each field's unit and
// range.
//
//   const MemoryBoundKernel& k =
//       law.Of(PointwiseFamily::kVllm2024, Pointwise::kNorm);
//   k.per_sm;  // 6.3e9 bytes/s
//
// To add a family: an enumerator of models::PointwiseFamily, and its kernels in
// hardware/calibration/*.textproto.
#ifndef HARDWARE_MEMORY_BOUND_LAW_H_
#define HARDWARE_MEMORY_BOUND_LAW_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "models/op.h"
#include "sim/column.h"
#include "sim/text_file.h"

namespace hardware {

namespace proto {
class MemoryBoundLaw;
}

// Rows of columns over kinds and families.
inline constexpr size_t kPointwiseKinds =
    sim::Row(models::Pointwise::kReduction) + 1;
inline constexpr size_t kPointwiseFamilies =
    sim::Row(models::PointwiseFamily::kTensorRtLlm) + 1;

struct MemoryBoundKernel {
  double launch_seconds = 0;  // of each of its kernels; 0: there is none
  double per_sm = 0;          // bytes per second
  double warm_speedup = 1;
  bool row_by_row = false;
  double reread_row_bytes = 0;  // 0: one pass
  int64_t serial_rows = 0;
  double serial_row_seconds = 0;
};

struct MemoryBoundLaw {
  // By family, then kind.
  sim::Column<models::PointwiseFamily,
              sim::Column<models::Pointwise, MemoryBoundKernel>>
      kernels = {};
  double memory_efficiency = 1;
  double l2_per_sm = 0;  // bytes per second
  double l2_held = 0;    // of L2's size
  double l2_lost = 0;

  // The family's kernel of that kind, or PyTorch's where it has none.
  const MemoryBoundKernel& Of(models::PointwiseFamily family,
                              models::Pointwise kind) const;
};

// `place` is where `message` stands. Fails on a constant that is missing or out
// of range, on a kernel given twice, and on a kind without a kernel of PyTorch.
absl::StatusOr<MemoryBoundLaw> MemoryBoundLawOf(
    const proto::MemoryBoundLaw& message, const sim::TextField& place);

}  // namespace hardware

#endif  // HARDWARE_MEMORY_BOUND_LAW_H_
