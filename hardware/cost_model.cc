#include "hardware/cost_model.h"

#include <cassert>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hardware/attention_cost.h"
#include "hardware/decode_attention_cost.h"
#include "hardware/expert_cost.h"
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

absl::Status CheckAttention(const CostModel& model,
                            const models::Attention& a) {
  std::string what = absl::StrCat(models::NameOf(a.family), " attention");
  if (IsDecode(a)) {
    if (DecodeLawOf(model.gpu, model.calibration, a)) return absl::OkStatus();
    absl::StrAppend(&what, " kernel for one query over a cache of ",
                    models::NameOf(a.cache.value_or(a.dtype)), " and ",
                    a.head_dim, " dimensions");
  } else {
    if (Runs(model.calibration, a)) return absl::OkStatus();
    absl::StrAppend(&what, a.backward ? " backward" : "", " kernel");
  }
  return absl::InvalidArgumentError(
      absl::StrCat("no ", what, " is calibrated for ", model.gpu.name));
}

absl::Status CheckGemm(const CostModel& model, const models::Gemm& gemm) {
  const absl::Status supported = CheckDType(model.gpu, gemm.dtype);
  if (!supported.ok()) return supported;
  if (!Runs(model.calibration, gemm)) {
    return absl::InvalidArgumentError(
        absl::StrCat("no ", models::NameOf(gemm.family),
                     " GEMM is calibrated for ", model.gpu.name));
  }
  if (gemm.weight && gemm.family != models::GemmFamily::kWeightOnly) {
    return absl::InvalidArgumentError(absl::StrCat(
        models::NameOf(gemm.family), " GEMMs have both operands of one type; ",
        models::NameOf(*gemm.weight), " weights are for weight-only"));
  }
  return absl::OkStatus();
}

absl::Status CheckExperts(const CostModel& model, models::ExpertKernels family,
                          models::DType dtype) {
  const absl::Status supported = CheckDType(model.gpu, dtype);
  if (!supported.ok()) return supported;
  if (Runs(model.calibration, family, dtype)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "no ", models::NameOf(family), " expert kernels in ",
      models::NameOf(dtype), " are calibrated for ", model.gpu.name));
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
      return CostOf(model.gpu, model.calibration, k, l2, model.clock);
    }
    KernelCost operator()(const models::Quantise& k) const {
      return CostOf(model.gpu, model.calibration, k);
    }
    KernelCost operator()(const models::Attention& k) const {
      if (IsDecode(k)) {
        return CostOf(model.gpu, *DecodeLawOf(model.gpu, model.calibration, k),
                      k, l2);
      }
      return CostOf(model.gpu, model.calibration, k);
    }
    KernelCost operator()(const models::MemoryBound& k) const {
      return CostOf(model.gpu, model.calibration, k, l2);
    }
    KernelCost operator()(const models::GroupedGemm& k) const {
      if (CallsCublas(k.family)) {
        return CostOfCalls(model.gpu, model.calibration, k, l2, model.clock);
      }
      return CostOf(model.gpu, model.calibration, k);
    }
    KernelCost operator()(const models::ExpertPass& k) const {
      return CostOf(model.gpu, model.calibration, k);
    }
  };
  KernelCost cost = std::visit(Pricer{*this, l2}, kernel);
  const auto* grouped = std::get_if<models::GroupedGemm>(&kernel);
  const bool calls = grouped != nullptr && CallsCublas(grouped->family);
  if (!calls && !std::holds_alternative<models::Gemm>(kernel) &&
      !std::holds_alternative<models::MemoryBound>(kernel) &&
      !std::holds_alternative<models::ExpertPass>(kernel)) {
    cost.compute /= clock;
  }
  return PriceOf(cost);
}

absl::Status CostModel::Check(const models::Kernel& kernel) const {
  if (const auto* gemm = std::get_if<models::Gemm>(&kernel)) {
    return CheckGemm(*this, *gemm);
  }
  if (const auto* quantise = std::get_if<models::Quantise>(&kernel)) {
    if (Runs(calibration, *quantise)) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("no quantisation for ", models::NameOf(quantise->family),
                     " GEMMs is calibrated for ", gpu.name));
  }
  if (const auto* attention = std::get_if<models::Attention>(&kernel)) {
    const absl::Status runs = CheckAttention(*this, *attention);
    return runs.ok() ? CheckDType(gpu, attention->dtype) : runs;
  }
  if (const auto* gemm = std::get_if<models::GroupedGemm>(&kernel)) {
    return CheckExperts(*this, gemm->family, gemm->dtype);
  }
  if (const auto* pass = std::get_if<models::ExpertPass>(&kernel)) {
    return CheckExperts(*this, pass->family, pass->dtype);
  }
  return absl::OkStatus();
}

}  // namespace hardware
