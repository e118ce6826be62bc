#include "hardware/attention_law.h"

#include "hardware/calibration.pb.h"
#include "hardware/law_fields.h"
#include "hardware/number_fields.h"

namespace hardware {
namespace {

constexpr NumberRange kAttentionRanges[] = {
    {.field = "launch_us", .above_least = true},
    {.field = "efficiency", .most = 2, .above_least = true},
    {.field = "half_dim"},
    {.field = "eight_bit_efficiency", .most = 1, .above_least = true},
    {.field = "tile_us"},
    {.field = "tail", .most = 1},
    {.field = "memory_efficiency", .most = 1, .above_least = true},
};

}  // namespace

absl::Status ReadAttentionLaw(const proto::AttentionLaw& message,
                              const sim::TextField& place,
                              AttentionLaws& laws) {
  absl::Status status = CheckNumbers(message, place, kAttentionRanges);
  if (status.ok()) status = CheckProvenance(message, place);
  if (!status.ok()) return status;
  const absl::StatusOr<models::AttentionFamily> family =
      Spelled(message.family(), models::AttentionFamily::kTensorRtLlm,
              place.At("family"), "families");
  if (!family.ok()) return family.status();
  AttentionLaw& law =
      message.backward() ? laws.backward[*family] : laws.forward[*family];
  if (law.efficiency > 0) return place.Error("is given twice; keep one");
  law = {.launch_seconds = message.launch_us() * 1e-6,
         .efficiency = message.efficiency(),
         .half_dim = message.half_dim(),
         .eight_bit_efficiency = message.eight_bit_efficiency(),
         .packs_heads = message.packs_heads(),
         .tile_seconds = message.tile_us() * 1e-6,
         .tail = message.tail(),
         .memory_efficiency = message.memory_efficiency()};
  return absl::OkStatus();
}

}  // namespace hardware
