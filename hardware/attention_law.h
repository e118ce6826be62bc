// The constants of fused attention kernels, forward and backward, by family;
// attention_cost.h states the law, calibration.proto each field's unit and
// range.
#ifndef HARDWARE_ATTENTION_LAW_H_
#define HARDWARE_ATTENTION_LAW_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "models/op.h"
#include "sim/column.h"
#include "sim/text_file.h"

namespace hardware {

namespace proto {
class AttentionLaw;
}

inline constexpr size_t kAttentionFamilies =
    sim::Row(models::AttentionFamily::kFlashInfer) + 1;

struct AttentionLaw {
  double launch_seconds = 0;
  double efficiency = 0;  // 0: the family does not run on this architecture
  double half_dim = 0;
  double eight_bit_efficiency = 1;
  bool packs_heads = false;
  double tile_seconds = 0;
  double tail = 0;
  double straggling = 0;
  double power_sag = 0;
  double memory_efficiency = 1;
  bool eight_bit_products = false;
  int64_t split_keys = 0;  // 0: keys are never split
  double combine_seconds = 0;
  // Of the kernel that writes the cache.
  double write_seconds = 0;
  double write_efficiency = 1;
  double query_copies = 0;
};

struct AttentionLaws {
  sim::Column<models::AttentionFamily, AttentionLaw> forward{
      kAttentionFamilies};
  // Over an 8-bit cache, where that has constants of its own.
  sim::Column<models::AttentionFamily, AttentionLaw> eight_bit_cache{
      kAttentionFamilies};
  sim::Column<models::AttentionFamily, AttentionLaw> backward{
      kAttentionFamilies};
};

// Adds one law to `laws`. `place` is where `message` stands. Fails on a
// constant that is missing or out of range, on an unknown family and on one
// given twice.
absl::Status ReadAttentionLaw(const proto::AttentionLaw& message,
                              const sim::TextField& place, AttentionLaws& laws);

}  // namespace hardware

#endif  // HARDWARE_ATTENTION_LAW_H_
