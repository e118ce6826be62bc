#include "hardware/deep_ep.h"

#include "absl/strings/str_cat.h"
#include "hardware/deep_ep.pb.h"
#include "hardware/law_fields.h"
#include "hardware/number_fields.h"
#include "hardware/preset_files.h"
#include "models/op.h"

namespace hardware {
namespace {

using models::ExpertDirection;
using models::ExpertExchange;

constexpr NumberRange kRanges[] = {
    {.field = "start_us", .above_least = true},
    {.field = "fill_gb_per_s"},
    {.field = "network_start_us"},
    {.field = "network_step_us"},
    {.field = "copy_us"},
    {.field = "copy_gb_per_s"},
    {.field = "token_gb_per_s"},
    {.field = "relay_gb_per_s"},
    {.field = "link_efficiency", .most = 1, .above_least = true},
};

absl::Status ReadKernel(const proto::DeepEpKernel& message,
                        const sim::TextField& place, DeepEp& deep_ep) {
  const absl::Status numbers = CheckNumbers(message, place, kRanges);
  if (!numbers.ok()) return numbers;
  const absl::StatusOr<ExpertExchange> mode = Spelled(
      message.mode(), ExpertExchange::kLowLatency, place.At("mode"), "modes");
  if (!mode.ok()) return mode.status();
  const absl::StatusOr<ExpertDirection> direction =
      Spelled(message.direction(), ExpertDirection::kCombine,
              place.At("direction"), "directions");
  if (!direction.ok()) return direction.status();
  DeepEpKernel& kernel = deep_ep.kernels[sim::Row(*mode)][sim::Row(*direction)];
  if (kernel.start > 0) return place.Error("is given twice; keep one");
  kernel = {.start = message.start_us() * 1e-6,
            .fill_rate = message.fill_gb_per_s() * 1e9,
            .network_start = message.network_start_us() * 1e-6,
            .network_step = message.network_step_us() * 1e-6,
            .copy_seconds = message.copy_us() * 1e-6,
            .copy_rate = message.copy_gb_per_s() * 1e9,
            .token_rate = message.token_gb_per_s() * 1e9,
            .relay_rate = message.relay_gb_per_s() * 1e9,
            .link_efficiency = message.link_efficiency()};
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DeepEp> LoadDeepEp(absl::string_view architecture) {
  proto::DeepEp message;
  const absl::StatusOr<sim::TextFile> file = LoadPresetFile(
      kCalibrations, absl::StrCat("deepep-", architecture), &message);
  if (!file.ok()) return file.status();
  DeepEp deep_ep;
  const sim::TextField place = file->At("kernel");
  for (int i = 0; i < message.kernel_size(); ++i) {
    const absl::Status status = ReadKernel(
        message.kernel(i), place.At(static_cast<size_t>(i)), deep_ep);
    if (!status.ok()) return status;
  }
  for (const auto& directions : deep_ep.kernels) {
    for (const DeepEpKernel& kernel : directions) {
      if (kernel.start > 0) continue;
      return place.Error(
          "is incomplete; give dispatch and combine of both "
          "modes, normal and low-latency");
    }
  }
  return deep_ep;
}

}  // namespace hardware
