#include "hardware/memory_bound_law.h"

#include "absl/strings/str_cat.h"
#include "hardware/calibration.pb.h"
#include "hardware/law_fields.h"
#include "hardware/number_fields.h"

namespace hardware {
namespace {

using models::Pointwise;

constexpr NumberRange kKindRanges[] = {
    {.field = "launch_us", .above_least = true},
    {.field = "efficiency", .most = 1, .above_least = true},
};
constexpr NumberRange kMemoryBoundRanges[] = {
    {.field = "l2_speedup", .least = 1},
};

}  // namespace

absl::StatusOr<MemoryBoundLaw> MemoryBoundLawOf(
    const proto::MemoryBoundLaw& message, const sim::TextField& place) {
  absl::Status status = CheckNumbers(message, place, kMemoryBoundRanges);
  if (status.ok()) status = CheckProvenance(message, place);
  if (!status.ok()) return status;
  MemoryBoundLaw law{
      .launch_seconds = sim::Column<Pointwise, double>(kPointwiseKinds),
      .efficiency = sim::Column<Pointwise, double>(kPointwiseKinds),
      .l2_speedup = message.l2_speedup()};
  for (int i = 0; i < message.kind_size(); ++i) {
    const auto& each = message.kind(i);
    const sim::TextField at = place.At("kind").At(static_cast<size_t>(i));
    status = CheckNumbers(each, at, kKindRanges);
    if (!status.ok()) return status;
    const absl::StatusOr<Pointwise> kind =
        Spelled(each.kind(), Pointwise::kReduction, at.At("kind"), "kinds");
    if (!kind.ok()) return kind.status();
    law.launch_seconds[*kind] = each.launch_us() * 1e-6;
    law.efficiency[*kind] = each.efficiency();
  }
  for (size_t row = 0; row < kPointwiseKinds; ++row) {
    const auto kind = sim::AsId<Pointwise>(row);
    if (law.efficiency[kind] > 0) continue;
    return place.At("kind").Error(absl::StrCat("has no ", models::NameOf(kind),
                                               "; give every kind of kernel"));
  }
  return law;
}

}  // namespace hardware
