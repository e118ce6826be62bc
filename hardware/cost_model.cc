#include "hardware/cost_model.h"

#include <cassert>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hardware/attention_cost.h"
#include "hardware/gemm_cost.h"
#include "hardware/memory_bound_cost.h"

namespace hardware {
namespace {

absl::Status CheckDType(const GpuSpec& gpu, models::DType dtype) {
  if (gpu.Supports(dtype)) return absl::OkStatus();
  std::vector<std::string> supported;
  for (size_t row = 0; row < gpu.peak.size(); ++row) {
    const auto each = sim::AsId<models::DType>(row);
    if (gpu.Supports(each)) supported.emplace_back(models::NameOf(each));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      gpu.name, " has no ", models::NameOf(dtype),
      " tensor cores; it supports ", absl::StrJoin(supported, ", ")));
}

}  // namespace

absl::StatusOr<CostModel> CostModel::Load(absl::string_view gpu) {
  absl::StatusOr<GpuSpec> spec = LoadGpu(gpu);
  if (!spec.ok()) return spec.status();
  absl::StatusOr<Calibration> calibration = LoadCalibration(spec->calibration);
  if (!calibration.ok()) return calibration.status();
  return CostModel{*std::move(spec), *std::move(calibration), 1};
}

CostModel CostModel::InTraining() const {
  CostModel model = *this;
  model.clock = calibration.power.training_clock;
  return model;
}

Price CostModel::Of(const models::Kernel& kernel, L2 l2) const {
  assert(Check(kernel).ok());
  struct Pricer {
    const CostModel& model;
    L2 l2;
    KernelCost operator()(const models::Gemm& k) const {
      return CostOf(model.gpu, model.calibration, k, l2);
    }
    KernelCost operator()(const models::Attention& k) const {
      return CostOf(model.gpu, model.calibration, k);
    }
    KernelCost operator()(const models::MemoryBound& k) const {
      return CostOf(model.gpu, model.calibration, k, l2);
    }
  };
  KernelCost cost = std::visit(Pricer{*this, l2}, kernel);
  if (!std::holds_alternative<models::MemoryBound>(kernel)) {
    cost.compute /= clock;
  }
  return PriceOf(cost);
}

absl::Status CostModel::Check(const models::Kernel& kernel) const {
  if (const auto* gemm = std::get_if<models::Gemm>(&kernel)) {
    return CheckDType(gpu, gemm->dtype);
  }
  if (const auto* attention = std::get_if<models::Attention>(&kernel)) {
    if (!Runs(calibration, *attention)) {
      return absl::InvalidArgumentError(
          absl::StrCat("no ", models::NameOf(attention->family), " attention",
                       attention->backward ? " backward" : "",
                       " kernel is calibrated for ", gpu.name));
    }
    return CheckDType(gpu, attention->dtype);
  }
  return absl::OkStatus();
}

}  // namespace hardware
