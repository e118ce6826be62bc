#include "hardware/gemm_law.h"

#include "absl/strings/str_cat.h"
#include "hardware/calibration.pb.h"
#include "hardware/law_fields.h"
#include "hardware/number_fields.h"

namespace hardware {
namespace {

constexpr NumberRange kGemmRanges[] = {
    {.field = "launch_us", .above_least = true},
    {.field = "tensor_efficiency", .most = 1.1, .above_least = true},
    {.field = "l2_gb_per_s_per_sm", .above_least = true},
    {.field = "eight_bit_l2_efficiency", .most = 1, .above_least = true},
    {.field = "turnover_us"},
    {.field = "split_us"},
    {.field = "memory_efficiency", .most = 1, .above_least = true},
    {.field = "memory_gb_per_s_per_sm", .above_least = true},
    {.field = "warm_miss", .most = 1, .above_least = true},
};
constexpr NumberRange kTileRanges[] = {
    {.field = "m", .least = 1},
    {.field = "n", .least = 1},
};

}  // namespace

absl::StatusOr<GemmLaw> GemmLawOf(const proto::GemmLaw& message,
                                  const sim::TextField& place) {
  absl::Status status = CheckNumbers(message, place, kGemmRanges);
  if (status.ok()) status = CheckProvenance(message, place);
  if (!status.ok()) return status;
  GemmLaw law{.launch_seconds = message.launch_us() * 1e-6,
              .tensor_efficiency = message.tensor_efficiency(),
              .l2_per_sm = message.l2_gb_per_s_per_sm() * 1e9,
              .eight_bit_l2_efficiency = message.eight_bit_l2_efficiency(),
              .turnover_seconds = message.turnover_us() * 1e-6,
              .split_seconds = message.split_us() * 1e-6,
              .memory_efficiency = message.memory_efficiency(),
              .memory_per_sm = message.memory_gb_per_s_per_sm() * 1e9,
              .warm_miss = message.warm_miss(),
              .tiles = {},
              .splits = {message.split().begin(), message.split().end()}};
  for (int i = 0; i < message.tile_size(); ++i) {
    status =
        CheckNumbers(message.tile(i),
                     place.At("tile").At(static_cast<size_t>(i)), kTileRanges);
    if (!status.ok()) return status;
    law.tiles.push_back({message.tile(i).m(), message.tile(i).n()});
  }
  if (law.tiles.empty()) {
    return place.At("tile").Error("is missing; give at least one");
  }
  if (law.splits.empty() || law.splits.front() != 1) {
    return place.At("split").Error("must begin with 1");
  }
  return law;
}

}  // namespace hardware
