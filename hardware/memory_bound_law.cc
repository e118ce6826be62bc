#include "hardware/memory_bound_law.h"

#include "absl/strings/str_cat.h"
#include "hardware/calibration.pb.h"
#include "hardware/law_fields.h"
#include "hardware/number_fields.h"

namespace hardware {
namespace {

using models::Pointwise;
using models::PointwiseFamily;

constexpr NumberRange kKernelRanges[] = {
    {.field = "launch_us", .above_least = true},
    {.field = "gb_per_s_per_sm", .above_least = true},
};
constexpr NumberRange kWarmSpeedup[] = {{.field = "warm_speedup", .least = 1}};
constexpr NumberRange kReread[] = {
    {.field = "reread_row_bytes", .above_least = true}};
constexpr NumberRange kSerial[] = {{.field = "serial_rows"},
                                   {.field = "serial_row_us"}};
constexpr NumberRange kMemoryBoundRanges[] = {
    {.field = "memory_efficiency", .most = 1, .above_least = true},
    {.field = "l2_gb_per_s_per_sm", .above_least = true},
    {.field = "l2_held", .most = 2, .above_least = true},
    {.field = "l2_lost", .most = 2, .above_least = true},
};

absl::StatusOr<MemoryBoundKernel> KernelOf(
    const proto::MemoryBoundLaw::Kernel& message, const sim::TextField& place) {
  absl::Status status = CheckNumbers(message, place, kKernelRanges);
  if (status.ok() && message.has_warm_speedup()) {
    status = CheckNumbers(message, place, kWarmSpeedup);
  }
  if (status.ok() && message.has_reread_row_bytes()) {
    status = CheckNumbers(message, place, kReread);
  }
  if (status.ok() &&
      (message.has_serial_rows() || message.has_serial_row_us())) {
    status = CheckNumbers(message, place, kSerial);
  }
  if (!status.ok()) return status;
  return MemoryBoundKernel{
      .launch_seconds = message.launch_us() * 1e-6,
      .per_sm = message.gb_per_s_per_sm() * 1e9,
      .warm_speedup = message.has_warm_speedup() ? message.warm_speedup() : 1,
      .row_by_row = message.row_by_row(),
      .reread_row_bytes = message.reread_row_bytes(),
      .serial_rows = message.serial_rows(),
      .serial_row_seconds = message.serial_row_us() * 1e-6};
}

absl::Status AddKernel(const proto::MemoryBoundLaw::Kernel& message,
                       const sim::TextField& place, MemoryBoundLaw& law) {
  const absl::StatusOr<PointwiseFamily> family =
      Spelled(message.family(), PointwiseFamily::kTensorRtLlm,
              place.At("family"), "families");
  if (!family.ok()) return family.status();
  const absl::StatusOr<Pointwise> kind =
      Spelled(message.kind(), Pointwise::kReduction, place.At("kind"), "kinds");
  if (!kind.ok()) return kind.status();
  const absl::StatusOr<MemoryBoundKernel> kernel = KernelOf(message, place);
  if (!kernel.ok()) return kernel.status();
  MemoryBoundKernel& row = law.kernels[*family][*kind];
  if (row.launch_seconds > 0) {
    return place.Error("is given twice; keep one");
  }
  row = *kernel;
  return absl::OkStatus();
}

}  // namespace

const MemoryBoundKernel& MemoryBoundLaw::Of(PointwiseFamily family,
                                            Pointwise kind) const {
  const MemoryBoundKernel& own = kernels[family][kind];
  return own.launch_seconds > 0 ? own
                                : kernels[PointwiseFamily::kPyTorch][kind];
}

absl::StatusOr<MemoryBoundLaw> MemoryBoundLawOf(
    const proto::MemoryBoundLaw& message, const sim::TextField& place) {
  absl::Status status = CheckNumbers(message, place, kMemoryBoundRanges);
  if (status.ok()) status = CheckProvenance(message, place);
  if (!status.ok()) return status;
  if (message.l2_held() >= message.l2_lost()) {
    return place.At("l2_held").Error(
        "is out of range; write less than l2_lost");
  }
  MemoryBoundLaw law{.memory_efficiency = message.memory_efficiency(),
                     .l2_per_sm = message.l2_gb_per_s_per_sm() * 1e9,
                     .l2_held = message.l2_held(),
                     .l2_lost = message.l2_lost()};
  law.kernels = decltype(law.kernels)(
      kPointwiseFamilies,
      sim::Column<Pointwise, MemoryBoundKernel>(kPointwiseKinds));
  for (int i = 0; i < message.kernel_size(); ++i) {
    status = AddKernel(message.kernel(i),
                       place.At("kernel").At(static_cast<size_t>(i)), law);
    if (!status.ok()) return status;
  }
  for (size_t row = 0; row < kPointwiseKinds; ++row) {
    const auto kind = sim::AsId<Pointwise>(row);
    if (law.Of(PointwiseFamily::kPyTorch, kind).launch_seconds > 0) continue;
    return place.At("kernel").Error(
        absl::StrCat("has no ", models::NameOf(kind),
                     " of pytorch; give every kind of kernel"));
  }
  return law;
}

}  // namespace hardware
