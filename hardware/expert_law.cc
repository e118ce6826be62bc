#include "hardware/expert_law.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hardware/calibration.pb.h"
#include "hardware/law_fields.h"
#include "hardware/number_fields.h"

namespace hardware {
namespace {

constexpr NumberRange kExpertRanges[] = {
    {.field = "launch_us", .above_least = true},
    {.field = "expert_us"},
    {.field = "tensor_efficiency", .most = 1.2, .above_least = true},
    {.field = "l2_gb_per_s_per_sm", .above_least = true},
    {.field = "tile_us"},
    {.field = "tail", .most = 1},
    {.field = "memory_efficiency", .most = 1, .above_least = true},
    {.field = "memory_gb_per_s_per_sm", .above_least = true},
    {.field = "permute_efficiency", .most = 1, .above_least = true},
    {.field = "pass_efficiency", .most = 1, .above_least = true},
};
constexpr NumberRange kTileRanges[] = {
    {.field = "m", .least = 1},
    {.field = "n", .least = 1},
};

absl::Status ReadTiles(const proto::ExpertLaw& message,
                       const sim::TextField& place, ExpertLaw& law) {
  for (int i = 0; i < message.tile_size(); ++i) {
    const sim::TextField at = place.At("tile").At(static_cast<size_t>(i));
    const absl::Status status = CheckNumbers(message.tile(i), at, kTileRanges);
    if (!status.ok()) return status;
    const int64_t m = message.tile(i).m();
    const auto& heights = models::kTileHeights;
    if (std::find(heights.begin(), heights.end(), m) == heights.end()) {
      return at.At("m").Error(absl::StrCat(m, " is no tile height; write ",
                                           absl::StrJoin(heights, ", ")));
    }
    law.tiles.push_back({m, message.tile(i).n()});
  }
  if (!law.tiles.empty()) return absl::OkStatus();
  return place.At("tile").Error("is missing; give at least one");
}

}  // namespace

absl::Status ReadExpertLaw(const proto::ExpertLaw& message,
                           const sim::TextField& place, ExpertLaws& laws) {
  absl::Status status = CheckNumbers(message, place, kExpertRanges);
  if (status.ok()) status = CheckProvenance(message, place);
  if (!status.ok()) return status;
  const absl::StatusOr<models::ExpertKernels> family =
      Spelled(message.family(), models::ExpertKernels::kCutlass,
              place.At("family"), "libraries");
  if (!family.ok()) return family.status();
  const absl::StatusOr<models::DType> dtype = Spelled(
      message.dtype(), models::DType::kInt4, place.At("dtype"), "types");
  if (!dtype.ok()) return dtype.status();
  ExpertLaw& law = laws.of[sim::Row(*family)][*dtype];
  if (law.tensor_efficiency > 0) return place.Error("is given twice; keep one");
  law = {.launch_seconds = message.launch_us() * 1e-6,
         .expert_seconds = message.expert_us() * 1e-6,
         .tensor_efficiency = message.tensor_efficiency(),
         .l2_per_sm = message.l2_gb_per_s_per_sm() * 1e9,
         .tile_seconds = message.tile_us() * 1e-6,
         .tail = message.tail(),
         .memory_efficiency = message.memory_efficiency(),
         .memory_per_sm = message.memory_gb_per_s_per_sm() * 1e9,
         .permute_efficiency = message.permute_efficiency(),
         .pass_efficiency = message.pass_efficiency(),
         .tiles = {}};
  return ReadTiles(message, place, law);
}

}  // namespace hardware
