#include "hardware/calibration.h"

#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "hardware/calibration.pb.h"
#include "hardware/gemm_cost.h"
#include "sim/data_path.h"

namespace hardware {

std::string CalibrationPath(absl::string_view calibration) {
  if (absl::EndsWith(calibration, ".textproto")) {
    return std::string(calibration);
  }
  return sim::DataPath(
             absl::StrCat("hardware/calibration/", calibration, ".textproto"))
      .string();
}

absl::StatusOr<Calibration> CalibrationOf(const std::string& name,
                                          const proto::Calibration& message,
                                          const sim::TextField& place) {
  Calibration result;
  result.name = name;
  for (int i = 0; i < message.gemm_size(); ++i) {
    const absl::Status status =
        ReadGemmLaw(message.gemm(i),
                    place.At("gemm").At(static_cast<size_t>(i)), result.gemm);
    if (!status.ok()) return status;
  }
  if (!Runs(result, models::Gemm{})) {
    return place.At("gemm").Error(
        "has no cublas; give that family, which training multiplies with");
  }
  absl::StatusOr<PowerLaw> power =
      PowerLawOf(message.power(), place.At("power"));
  if (!power.ok()) return power.status();
  result.power = *std::move(power);
  for (int i = 0; i < message.attention_size(); ++i) {
    const absl::Status status = ReadAttentionLaw(
        message.attention(i), place.At("attention").At(static_cast<size_t>(i)),
        result.attention);
    if (!status.ok()) return status;
  }
  for (int i = 0; i < message.decode_attention_size(); ++i) {
    const absl::Status status = ReadDecodeAttentionLaw(
        message.decode_attention(i),
        place.At("decode_attention").At(static_cast<size_t>(i)),
        result.decode_attention);
    if (!status.ok()) return status;
  }
  absl::StatusOr<MemoryBoundLaw> memory_bound =
      MemoryBoundLawOf(message.memory_bound(), place.At("memory_bound"));
  if (!memory_bound.ok()) return memory_bound.status();
  result.memory_bound = *std::move(memory_bound);
  for (int i = 0; i < message.expert_size(); ++i) {
    const absl::Status status = ReadExpertLaw(
        message.expert(i), place.At("expert").At(static_cast<size_t>(i)),
        result.expert);
    if (!status.ok()) return status;
  }
  return result;
}

absl::StatusOr<Calibration> LoadCalibration(absl::string_view calibration) {
  const std::string path = CalibrationPath(calibration);
  proto::Calibration message;
  const absl::StatusOr<sim::TextFile> file =
      sim::TextFile::Load(path, &message);
  if (!file.ok()) return file.status();
  return CalibrationOf(std::filesystem::path(path).stem().string(), message,
                       file->At(""));
}

}  // namespace hardware
