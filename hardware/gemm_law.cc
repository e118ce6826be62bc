#include "hardware/gemm_law.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "hardware/calibration.pb.h"
#include "hardware/law_fields.h"
#include "hardware/number_fields.h"

namespace hardware {
namespace {

constexpr NumberRange kGemmRanges[] = {
    {.field = "launch_us", .above_least = true},
    {.field = "memory_latency_us"},
    {.field = "epilogue_us"},
    {.field = "turnover_us"},
    {.field = "wave_hardness", .most = 1},
    {.field = "tensor_efficiency", .most = 1.2, .above_least = true},
    {.field = "l2_gb_per_s_per_sm", .above_least = true},
    {.field = "memory_efficiency", .most = 1, .above_least = true},
    {.field = "warm_miss", .most = 1, .above_least = true},
};
constexpr NumberRange kEightBitRanges[] = {
    {.field = "eight_bit_l2_efficiency", .most = 1, .above_least = true},
};
constexpr NumberRange kCopiesRanges[] = {
    {.field = "narrow", .most = 1, .above_least = true},
    {.field = "elements", .most = 1, .above_least = true},
};
constexpr NumberRange kSplitRanges[] = {
    {.field = "waves", .least = 1, .most = 8},
    {.field = "extra_us"},
    {.field = "reduction_gb_per_s", .above_least = true},
};
constexpr NumberRange kQuantiseRanges[] = {
    {.field = "launch_us", .above_least = true},
    {.field = "gb_per_s_per_sm", .above_least = true},
};
constexpr NumberRange kTileRanges[] = {
    {.field = "m", .least = 1, .most = 1024},
};

absl::Status ReadTile(const proto::GemmLaw::Tile& message,
                      const sim::TextField& place, GemmLaw& law) {
  const absl::Status status = CheckNumbers(message, place, kTileRanges);
  if (!status.ok()) return status;
  for (const int32_t n : message.n()) {
    if (n < 1 || n > 1024) {
      return place.At("n").Error(
          absl::StrCat(n, " is out of range; write 1 to 1024"));
    }
    law.tiles.push_back(
        {.m = static_cast<double>(message.m()),
         .n = static_cast<double>(n),
         .least_rows = static_cast<double>(message.least_rows()),
         .most_rows = message.most_rows() > 0
                          ? static_cast<double>(message.most_rows())
                          : std::numeric_limits<double>::infinity()});
  }
  if (message.n().empty()) {
    return place.At("n").Error("is missing; give at least one width");
  }
  return absl::OkStatus();
}

// The first number of rows that no tile takes; 0 if there is none.
double FirstGap(std::vector<GemmLaw::Tile> tiles) {
  std::sort(tiles.begin(), tiles.end(), [](const auto& a, const auto& b) {
    return a.least_rows < b.least_rows;
  });
  double next = 1;
  for (const GemmLaw::Tile& tile : tiles) {
    if (tile.least_rows > next) break;
    next = std::max(next, tile.most_rows + 1);
  }
  return next == std::numeric_limits<double>::infinity() ? 0 : next;
}

absl::Status ReadTiles(const proto::GemmLaw& message,
                       const sim::TextField& place, GemmLaw& law) {
  for (int i = 0; i < message.tile_size(); ++i) {
    const absl::Status status = ReadTile(
        message.tile(i), place.At("tile").At(static_cast<size_t>(i)), law);
    if (!status.ok()) return status;
  }
  const double gap = FirstGap(law.tiles);
  if (gap == 0) return absl::OkStatus();
  return place.At("tile").Error(
      absl::StrCat("no tile takes ", gap,
                   " rows; give one whose least_rows and most_rows hold it"));
}

absl::Status ReadParts(const proto::GemmLaw& message,
                       const sim::TextField& place, GemmLaw& law) {
  absl::Status status;
  if (message.has_eight_bit_l2_efficiency()) {
    status = CheckNumbers(message, place, kEightBitRanges);
    law.eight_bit_l2_efficiency = message.eight_bit_l2_efficiency();
  }
  if (status.ok() && message.has_odd_rows()) {
    status =
        CheckNumbers(message.odd_rows(), place.At("odd_rows"), kCopiesRanges);
    law.narrow_copies = message.odd_rows().narrow();
    law.element_copies = message.odd_rows().elements();
  }
  if (status.ok() && message.has_split()) {
    status = CheckNumbers(message.split(), place.At("split"), kSplitRanges);
    law.split_waves = message.split().waves();
    law.split_seconds = message.split().extra_us() * 1e-6;
    law.reduction_rate = message.split().reduction_gb_per_s() * 1e9;
  }
  if (status.ok() && message.has_quantise()) {
    status =
        CheckNumbers(message.quantise(), place.At("quantise"), kQuantiseRanges);
    law.quantise_seconds = message.quantise().launch_us() * 1e-6;
    law.quantise_per_sm = message.quantise().gb_per_s_per_sm() * 1e9;
  }
  if (status.ok()) status = ReadTiles(message, place, law);
  return status;
}

}  // namespace

absl::Status ReadGemmLaw(const proto::GemmLaw& message,
                         const sim::TextField& place, GemmLaws& laws) {
  absl::Status status = CheckNumbers(message, place, kGemmRanges);
  if (status.ok()) status = CheckProvenance(message, place);
  if (!status.ok()) return status;
  const absl::StatusOr<models::GemmFamily> family =
      Spelled(message.family(), models::GemmFamily::kWeightOnly,
              place.At("family"), "families");
  if (!family.ok()) return family.status();
  GemmLaw& law = laws.of[*family];
  if (law.launch_seconds > 0) return place.Error("is given twice; keep one");
  law = {.launch_seconds = message.launch_us() * 1e-6,
         .memory_seconds = message.memory_latency_us() * 1e-6,
         .epilogue_seconds = message.epilogue_us() * 1e-6,
         .turnover_seconds = message.turnover_us() * 1e-6,
         .wave_hardness = message.wave_hardness(),
         .tensor_efficiency = message.tensor_efficiency(),
         .l2_per_sm = message.l2_gb_per_s_per_sm() * 1e9,
         .asynchronous_copies = message.asynchronous_copies(),
         .memory_efficiency = message.memory_efficiency(),
         .warm_miss = message.warm_miss(),
         .tiles = {},
         .errors = ErrorsOf(message.provenance())};
  return ReadParts(message, place, law);
}

}  // namespace hardware
