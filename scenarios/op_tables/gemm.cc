#include "absl/strings/str_cat.h"
#include "scenarios/op_tables/op_tables.h"

namespace scenarios {
namespace {

using hardware::L2;
using models::DType;
using models::Pointwise;

// The kernel that turns 16-bit activations into 8-bit ones. It reads them once
// for the scale, and again to convert them unless a block of 128 fits
// registers.
models::MemoryBound Quantisation(int64_t elements, bool in_blocks) {
  return {.kind = Pointwise::kCast,
          .read = models::BytesOf(DType::kBf16, (in_blocks ? 1 : 2) * elements),
          .written = models::BytesOf(DType::kFp8, elements),
          .flops = {}};
}

}  // namespace

MeasuredOp GemmOp(OpRow& row) {
  const std::string dtype = row.Text("dtype");
  models::Gemm gemm{.m = row.Count("m", kMostRows),
                    .n = row.Count("n", kMostRows),
                    .k = row.Count("k", kMostRows)};
  MeasuredOp op{
      .id = absl::StrCat(dtype, " ", gemm.m, "x", gemm.n, "x", gemm.k),
      .family = dtype,
      .layout = absl::StrCat(gemm.n, "x", gemm.k),
      .kernels = {},
      .l2 = row.Text("l2") == "warm" ? L2::kWarm : L2::kCold};
  if (dtype == "bf16") {
    gemm.dtype = DType::kBf16;
  } else if (dtype == "fp16") {
    gemm.dtype = DType::kFp16;
  } else if (dtype == "fp8" || dtype == "fp8_block") {
    gemm.dtype = DType::kFp8;
  } else if (dtype == "w8a8_int8") {
    gemm.dtype = DType::kInt8;
  } else {
    op.skipped = absl::StrCat("no law prices ", dtype, " GEMMs");
    return op;
  }
  if (row.Flag("act_quant_included")) {
    op.kernels.push_back(Quantisation(gemm.m * gemm.k, dtype == "fp8_block"));
  }
  op.kernels.push_back(gemm);
  return op;
}

}  // namespace scenarios
