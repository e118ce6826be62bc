// The fitted constants of an architecture's kernels, checked and in units.
//
//   Calibration hopper = *LoadCalibration("hopper");
//   hopper.gemm.of[models::GemmFamily::kCublas].wave_hardness;  // 0
//
// To calibrate another architecture: fit the constants from measured tables
// with `orrery fit` (calibration.proto is the reference of the fields and wants
// the provenance of each law). To add a law: a message in calibration.proto,
// its constants and reader in hardware/<kernel>_law.{h,cc}, and a member here.
#ifndef HARDWARE_CALIBRATION_H_
#define HARDWARE_CALIBRATION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hardware/attention_law.h"
#include "hardware/decode_attention_law.h"
#include "hardware/expert_law.h"
#include "hardware/gemm_law.h"
#include "hardware/memory_bound_law.h"
#include "hardware/power_law.h"
#include "sim/text_file.h"

namespace hardware {

namespace proto {
class Calibration;
}

struct Calibration {
  std::string name;
  PowerLaw power;
  GemmLaws gemm;
  AttentionLaws attention;
  // Where several kernels of an engine take the same work, the first runs it.
  std::vector<DecodeAttentionLaw> decode_attention;
  MemoryBoundLaw memory_bound;
  ExpertLaws expert;
};

// `calibration` is a name below hardware/calibration or a path to a textproto.
// Fails on a constant that is missing or out of range.
absl::StatusOr<Calibration> LoadCalibration(absl::string_view calibration);

// Where that name or path leads.
std::string CalibrationPath(absl::string_view calibration);

// The constants of a message that `place` stands for, the outermost of its
// file.
absl::StatusOr<Calibration> CalibrationOf(const std::string& name,
                                          const proto::Calibration& message,
                                          const sim::TextField& place);

}  // namespace hardware

#endif  // HARDWARE_CALIBRATION_H_
