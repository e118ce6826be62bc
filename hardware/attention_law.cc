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

// Those of engines' kernels, which a law may leave out.
constexpr NumberRange kEngineRanges[] = {
    {.field = "straggling", .most = 1},
    {.field = "power_sag", .most = 1},
    {.field = "split_keys"},
    {.field = "combine_us"},
    {.field = "write_us"},
    {.field = "write_efficiency", .most = 1, .above_least = true},
    {.field = "query_copies"},
};

// The column of `laws` that a message speaks of; null if there is none.
sim::Column<models::AttentionFamily, AttentionLaw>* ColumnOf(
    const proto::AttentionLaw& message, AttentionLaws& laws) {
  if (message.backward()) {
    return message.has_cache_bits() ? nullptr : &laws.backward;
  }
  if (!message.has_cache_bits() || message.cache_bits() == 16) {
    return &laws.forward;
  }
  return message.cache_bits() == 8 ? &laws.eight_bit_cache : nullptr;
}

}  // namespace

absl::Status ReadAttentionLaw(const proto::AttentionLaw& message,
                              const sim::TextField& place,
                              AttentionLaws& laws) {
  absl::Status status = CheckNumbers(message, place, kAttentionRanges);
  if (status.ok()) {
    status = CheckGivenNumbers(message, place, kEngineRanges);
  }
  if (status.ok()) status = CheckProvenance(message, place);
  if (!status.ok()) return status;
  const absl::StatusOr<models::AttentionFamily> family =
      Spelled(message.family(), models::AttentionFamily::kFlashInfer,
              place.At("family"), "families");
  if (!family.ok()) return family.status();
  auto* column = ColumnOf(message, laws);
  if (column == nullptr) {
    return place.At("cache_bits")
        .Error("must be 8 or 16, and left out of backward laws");
  }
  AttentionLaw& law = (*column)[*family];
  if (law.efficiency > 0) return place.Error("is given twice; keep one");
  law = {.launch_seconds = message.launch_us() * 1e-6,
         .efficiency = message.efficiency(),
         .half_dim = message.half_dim(),
         .eight_bit_efficiency = message.eight_bit_efficiency(),
         .packs_heads = message.packs_heads(),
         .tile_seconds = message.tile_us() * 1e-6,
         .tail = message.tail(),
         .straggling = message.straggling(),
         .power_sag = message.power_sag(),
         .memory_efficiency = message.memory_efficiency(),
         .eight_bit_products = message.eight_bit_products(),
         .split_keys = message.split_keys(),
         .combine_seconds = message.combine_us() * 1e-6,
         .write_seconds = message.write_us() * 1e-6,
         .write_efficiency =
             message.has_write_efficiency() ? message.write_efficiency() : 1,
         .query_copies = message.query_copies()};
  return absl::OkStatus();
}

}  // namespace hardware
