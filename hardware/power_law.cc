#include "hardware/power_law.h"

#include "absl/strings/str_cat.h"
#include "hardware/calibration.pb.h"
#include "hardware/law_fields.h"
#include "hardware/number_fields.h"

namespace hardware {
namespace {

using models::DType;

constexpr NumberRange kPowerRanges[] = {
    {.field = "reference_watts", .above_least = true},
    {.field = "static_watts"},
    {.field = "exponent", .most = 1},
    {.field = "training_clock", .most = 1, .above_least = true},
};
constexpr NumberRange kSustainedRanges[] = {
    {.field = "fraction", .most = 1, .above_least = true},
};

}  // namespace

absl::StatusOr<PowerLaw> PowerLawOf(const proto::PowerLaw& message,
                                    const sim::TextField& place) {
  absl::Status status = CheckNumbers(message, place, kPowerRanges);
  if (status.ok()) status = CheckProvenance(message, place);
  if (!status.ok()) return status;
  if (message.static_watts() >= message.reference_watts()) {
    return place.At("static_watts").Error("must be below reference_watts");
  }
  PowerLaw law{.reference_watts = message.reference_watts(),
               .static_watts = message.static_watts(),
               .exponent = message.exponent(),
               .sustained = sim::Column<DType, double>(kDTypes),
               .training_clock = message.training_clock()};
  for (int i = 0; i < message.sustained_size(); ++i) {
    const auto& each = message.sustained(i);
    const sim::TextField at = place.At("sustained").At(static_cast<size_t>(i));
    status = CheckNumbers(each, at, kSustainedRanges);
    if (!status.ok()) return status;
    const absl::StatusOr<DType> dtype =
        Spelled(each.dtype(), DType::kInt4, at.At("dtype"), "types");
    if (!dtype.ok()) return dtype.status();
    law.sustained[*dtype] = each.fraction();
  }
  for (size_t row = 0; row < kDTypes; ++row) {
    const auto dtype = sim::AsId<DType>(row);
    if (law.sustained[dtype] > 0) continue;
    return place.At("sustained")
        .Error(absl::StrCat("has no ", models::NameOf(dtype),
                            "; give the fraction of every type"));
  }
  return law;
}

}  // namespace hardware
