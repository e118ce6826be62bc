// The constants of the kernels of expert layers, by library and element type;
// expert_cost.h states the law, calibration.proto each field's unit and range.
#ifndef HARDWARE_EXPERT_LAW_H_
#define HARDWARE_EXPERT_LAW_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "hardware/power_law.h"
#include "models/op.h"
#include "sim/column.h"
#include "sim/text_file.h"

namespace hardware {

namespace proto {
class ExpertLaw;
}

struct ExpertLaw {
  struct Tile {
    int64_t m, n;
  };
  double launch_seconds = 0;
  double expert_seconds = 0;
  double tensor_efficiency = 0;  // 0: does not run on this architecture
  double l2_per_sm = 0;          // bytes per second into one multiprocessor
  double tile_seconds = 0;
  double tail = 0;
  double memory_efficiency = 1;
  double memory_per_sm = 0;  // bytes per second one multiprocessor draws
  double permute_efficiency = 1;
  double pass_efficiency = 1;
  std::vector<Tile> tiles;
};

// A column over element types for each library.
inline constexpr size_t kExpertKernels =
    sim::Row(models::ExpertKernels::kCutlass) + 1;

struct ExpertLaws {
  std::array<sim::Column<models::DType, ExpertLaw>, kExpertKernels> of = {
      sim::Column<models::DType, ExpertLaw>(kDTypes),
      sim::Column<models::DType, ExpertLaw>(kDTypes)};

  const ExpertLaw& Of(models::ExpertKernels family, models::DType dtype) const {
    return of[sim::Row(family)][dtype];
  }
};

// Adds one law to `laws`. `place` is where `message` stands. Fails on a
// constant that is missing or out of range, on an unknown library or type, on
// one given twice and on a law without a tile or provenance.
absl::Status ReadExpertLaw(const proto::ExpertLaw& message,
                           const sim::TextField& place, ExpertLaws& laws);

}  // namespace hardware

#endif  // HARDWARE_EXPERT_LAW_H_
