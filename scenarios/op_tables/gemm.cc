#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "scenarios/op_tables/op_tables.h"

namespace scenarios {
namespace {

using hardware::L2;
using models::DType;
using models::GemmFamily;

// Types as the table spells them, what they multiply, and whose kernels.
struct Spelling {
  absl::string_view dtype;
  absl::string_view framework;  // that the row's begins with
  GemmFamily family;
  DType products;
  std::optional<DType> weight;
};
// The first that matches.
constexpr Spelling kSpellings[] = {
    {"bf16", "", GemmFamily::kCublas, DType::kBf16, {}},
    {"fp16", "vidur", GemmFamily::kCublas2024, DType::kFp16, {}},
    {"fp16", "", GemmFamily::kCublas, DType::kFp16, {}},
    {"fp8", "cublas", GemmFamily::kCublas, DType::kFp8, {}},
    {"fp8", "", GemmFamily::kCutlass, DType::kFp8, {}},
    {"fp8_block", "trtllm", GemmFamily::kTensorRtLlmBlocks, DType::kFp8, {}},
    {"fp8_block", "", GemmFamily::kDeepGemm, DType::kFp8, {}},
    {"w8a8_int8", "", GemmFamily::kTensorRtLlmInt8, DType::kInt8, {}},
    {"w8a16", "", GemmFamily::kWeightOnly, DType::kBf16, DType::kInt8},
    {"w4a16", "", GemmFamily::kWeightOnly, DType::kBf16, DType::kInt4},
};

const Spelling* Find(absl::string_view dtype, absl::string_view framework) {
  for (const Spelling& spelling : kSpellings) {
    if (spelling.dtype == dtype &&
        absl::StartsWith(framework, spelling.framework)) {
      return &spelling;
    }
  }
  return nullptr;
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
      // "partial", where L2 holds one copy of a weight that alternates with
      // others, was measured to be as slow as cold.
      .l2 = row.Text("l2") == "warm" ? L2::kWarm : L2::kCold};
  const Spelling* spelling = Find(dtype, row.TextIfAny("framework"));
  if (spelling == nullptr) {
    op.skipped = absl::StrCat("no law prices ", dtype, " GEMMs");
    return op;
  }
  gemm.family = spelling->family;
  gemm.dtype = spelling->products;
  gemm.weight = spelling->weight;
  if (gemm.family != GemmFamily::kCublas) {
    absl::StrAppend(&op.family, " ", models::NameOf(gemm.family));
  }
  if (row.Flag("act_quant_included")) {
    // cuBLAS multiplies what others' kernels quantise.
    op.kernels.push_back(models::Quantise{
        .rows = gemm.m,
        .columns = gemm.k,
        .family = gemm.family == GemmFamily::kCublas ? GemmFamily::kCutlass
                                                     : gemm.family,
        .to = gemm.dtype});
  }
  op.kernels.push_back(gemm);
  return op;
}

}  // namespace scenarios
