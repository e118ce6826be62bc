// How fast the tensor cores go under the board's power limit; gemm_cost.h
// states the law, calibration.proto each field's unit and range.
#ifndef HARDWARE_POWER_LAW_H_
#define HARDWARE_POWER_LAW_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "models/op.h"
#include "sim/column.h"
#include "sim/text_file.h"

namespace hardware {

namespace proto {
class PowerLaw;
}

// Rows of columns over element types.
inline constexpr size_t kDTypes = sim::Row(models::DType::kInt4) + 1;

struct PowerLaw {
  double reference_watts = 0;
  double static_watts = 0;
  double exponent = 0;
  sim::Column<models::DType, double> sustained;  // fraction of peak
  double training_clock = 1;
};

// `place` is where `message` stands. Fails on a constant that is missing or out
// of range, and on an element type without its fraction.
absl::StatusOr<PowerLaw> PowerLawOf(const proto::PowerLaw& message,
                                    const sim::TextField& place);

}  // namespace hardware

#endif  // HARDWARE_POWER_LAW_H_
