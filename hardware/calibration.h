// The fitted constants of an architecture's kernels, checked and in units.
//
//   Calibration hopper = *LoadCalibration("hopper");
//   hopper.gemm.launch_seconds;  // 2.77e-6
//
// To calibrate another architecture: fit the constants from a measured table
// and write hardware/calibration/<name>.textproto (calibration.proto is the
// reference of the fields and wants the provenance of each law).
#ifndef HARDWARE_CALIBRATION_H_
#define HARDWARE_CALIBRATION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/op.h"
#include "sim/column.h"
#include "sim/units.h"

namespace hardware {

// Rows of the columns below: one for each enumerator.
inline constexpr size_t kDTypes = sim::Row(models::DType::kInt4) + 1;
inline constexpr size_t kAttentionFamilies =
    sim::Row(models::AttentionFamily::kTensorRtLlm) + 1;
inline constexpr size_t kPointwiseKinds =
    sim::Row(models::Pointwise::kReduction) + 1;

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

struct PowerLaw {
  double reference_watts = 0;
  double static_watts = 0;
  double exponent = 0;
  sim::Column<models::DType, double> sustained;  // fraction of peak
  double training_clock = 1;
};

struct AttentionLaw {
  double launch_seconds = 0;
  double efficiency = 0;  // 0: the family does not run on this architecture
  double half_dim = 0;
  double eight_bit_efficiency = 1;
  bool packs_heads = false;
  double tile_seconds = 0;
  double tail = 0;
  double memory_efficiency = 1;
};

struct MemoryBoundLaw {
  sim::Column<models::Pointwise, double> launch_seconds;
  sim::Column<models::Pointwise, double> efficiency;
  double l2_speedup = 1;
};

struct Calibration {
  std::string name;
  PowerLaw power;
  GemmLaw gemm;
  sim::Column<models::AttentionFamily, AttentionLaw> attention_forward;
  sim::Column<models::AttentionFamily, AttentionLaw> attention_backward;
  MemoryBoundLaw memory_bound;
};

// `calibration` is a name below hardware/calibration or a path to a textproto.
// Fails on a constant that is missing or out of range.
absl::StatusOr<Calibration> LoadCalibration(absl::string_view calibration);

}  // namespace hardware

#endif  // HARDWARE_CALIBRATION_H_
