// The constants of matrix products, by family of kernels; gemm_cost.h states
// the law, calibration.proto each field's unit and range.
//
//   const GemmLaw& law = laws.of[models::GemmFamily::kCutlass];
//   law.tiles.front();  // 16 x 64, for up to 64 rows
#ifndef HARDWARE_GEMM_LAW_H_
#define HARDWARE_GEMM_LAW_H_

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "hardware/law_errors.h"
#include "models/gemm.h"
#include "sim/column.h"
#include "sim/text_file.h"

namespace hardware {

namespace proto {
class GemmLaw;
}

struct GemmLaw {
  struct Tile {
    double m, n;
    double least_rows, most_rows;  // of A: what the library uses it for
  };
  double launch_seconds = 0;  // 0: does not run on this architecture
  double memory_seconds = 0;  // until the first bytes arrive
  double epilogue_seconds = 0;
  double turnover_seconds = 0;
  double wave_hardness = 1;
  double tensor_efficiency = 1;
  double l2_per_sm = 0;  // bytes per second into one multiprocessor
  double eight_bit_l2_efficiency = 1;  // factor on it of 8-bit operands
  bool asynchronous_copies = false;
  int split_waves = 0;
  double split_seconds = 0;
  double reduction_rate = 0;  // bytes per second
  double memory_efficiency = 1;
  double warm_miss = 1;
  // Factors on the rate of 16-bit products whose rows are no multiple of 16
  // bytes, but of 4; and of 2 only.
  double narrow_copies = 1, element_copies = 1;
  std::vector<Tile> tiles;
  double quantise_seconds = 0;  // 0: multiplies 16-bit activations
  double quantise_per_sm = 0;   // bytes per second
  LawErrors errors = {};        // of rows kept out of the fit
};

struct GemmLaws {
  sim::Column<models::GemmFamily, GemmLaw> of =
      sim::Column<models::GemmFamily, GemmLaw>(
          sim::Row(models::GemmFamily::kWeightOnly) + 1);
};

// Adds one law to `laws`. `place` is where `message` stands. Fails on a
// constant that is missing or out of range, on an unknown family, on one given
// twice, and on a law without provenance or without tiles for some height.
absl::Status ReadGemmLaw(const proto::GemmLaw& message,
                         const sim::TextField& place, GemmLaws& laws);

}  // namespace hardware

#endif  // HARDWARE_GEMM_LAW_H_
