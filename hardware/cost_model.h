// What one kernel takes on one GPU that is doing nothing else.
//
//   CostModel h100 = *CostModel::Load("h100-sxm-80gb");
//   h100.Of(models::Gemm{.m = 4096, .n = 4096, .k = 4096});  // 178 us,
//   kCompute
//
// A value: copy it, edit a field, compare. A chip that does not exist yet is
// this struct with other numbers.
//
// To price a new kernel: write hardware/<kernel>_cost.{h,cc}, an overload of
// CostOf, and its constants in calibration.proto; the compiler asks for it in
// cost_model.cc.
#ifndef HARDWARE_COST_MODEL_H_
#define HARDWARE_COST_MODEL_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hardware/calibration.h"
#include "hardware/gpu.h"
#include "hardware/price.h"
#include "models/op.h"

namespace hardware {

struct CostModel {
  GpuSpec gpu;
  Calibration calibration;
  // Of the tensor cores, over the clock of the benchmarks that the laws are
  // fitted to.
  double clock = 1;

  // The GPU of that name or file, with the calibration it names.
  static absl::StatusOr<CostModel> Load(absl::string_view gpu);

  // The same GPU, loaded as training loads it.
  CostModel InTraining() const;

  // Never less than the roofline: FLOPs / peak, bytes / bandwidth (of what L2
  // does not hold). Cost: a GEMM takes 0.1 us or so (tools/bench_prices.cc).
  //
  // REQUIRES: Check(kernel) is ok, and its sizes are above zero.
  Price Of(const models::Kernel& kernel, L2 l2 = L2::kCold) const;

  // Whether this GPU runs the kernel; else what it lacks: "a100-sxm-80gb has no
  // fp8 tensor cores; it supports fp32, tf32, fp16, bf16, int8, int4".
  absl::Status Check(const models::Kernel& kernel) const;
};

}  // namespace hardware

#endif  // HARDWARE_COST_MODEL_H_
