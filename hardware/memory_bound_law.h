// The constants of kernels bound by memory, by kind; memory_bound_cost.h states
// the law, calibration.proto each field's unit and range.
#ifndef HARDWARE_MEMORY_BOUND_LAW_H_
#define HARDWARE_MEMORY_BOUND_LAW_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "models/op.h"
#include "sim/column.h"
#include "sim/text_file.h"

namespace hardware {

namespace proto {
class MemoryBoundLaw;
}

// Rows of columns over kinds.
inline constexpr size_t kPointwiseKinds =
    sim::Row(models::Pointwise::kReduction) + 1;

struct MemoryBoundLaw {
  sim::Column<models::Pointwise, double> launch_seconds;
  sim::Column<models::Pointwise, double> efficiency;
  double l2_speedup = 1;
};

// `place` is where `message` stands. Fails on a constant that is missing or out
// of range, and on a kind of kernel without constants.
absl::StatusOr<MemoryBoundLaw> MemoryBoundLawOf(
    const proto::MemoryBoundLaw& message, const sim::TextField& place);

}  // namespace hardware

#endif  // HARDWARE_MEMORY_BOUND_LAW_H_
