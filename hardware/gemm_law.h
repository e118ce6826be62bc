// The constants of matrix products; gemm_cost.h states the law,
// calibration.proto each field's unit and range.
#ifndef HARDWARE_GEMM_LAW_H_
#define HARDWARE_GEMM_LAW_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "sim/text_file.h"

namespace hardware {

namespace proto {
class GemmLaw;
}

struct GemmLaw {
  struct Tile {
    int64_t m, n;
  };
  double launch_seconds = 0;
  double tensor_efficiency = 1;
  double l2_per_sm = 0;  // bytes per second into one multiprocessor
  double eight_bit_l2_efficiency = 1;  // factor on it of 8-bit operands
  double turnover_seconds = 0;
  double split_seconds = 0;
  double memory_efficiency = 1;
  double memory_per_sm = 0;  // bytes per second one multiprocessor draws
  double warm_miss = 1;
  std::vector<Tile> tiles;
  std::vector<int64_t> splits;  // ascending, the first 1
};

// `place` is where `message` stands. Fails on a constant that is missing or out
// of range, and on a law without a tile, a split of 1 or provenance.
absl::StatusOr<GemmLaw> GemmLawOf(const proto::GemmLaw& message,
                                  const sim::TextField& place);

}  // namespace hardware

#endif  // HARDWARE_GEMM_LAW_H_
