#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "scenarios/op_tables/op_tables.h"

namespace scenarios {
namespace {

using models::AttentionFamily;
using models::DType;
using models::Pointwise;

AttentionFamily FamilyOf(absl::string_view source) {
  if (absl::StrContains(source, "vllm")) return AttentionFamily::kVllm;
  if (absl::StrContains(source, "sglang")) return AttentionFamily::kSglang;
  if (absl::StrContains(source, "trtllm")) return AttentionFamily::kTensorRtLlm;
  if (absl::StrContains(source, "flashinfer")) return AttentionFamily::kSglang;
  return AttentionFamily::kFlash2;
}

}  // namespace

MeasuredOp AttentionPrefillOp(OpRow& row) {
  const std::string dtype = row.Text("dtype");
  const std::string kv_dtype = row.Text("kv_dtype");
  models::Attention attention{
      .batch = row.Count("batch", kMostHeads),
      .heads = row.Count("heads", kMostHeads),
      .kv_heads = row.Count("kv_heads", kMostHeads),
      .queries = row.Count("q_len", kMostTokens),
      .keys = row.Count("kv_len", kMostTokens),
      .head_dim = row.Count("head_dim", kWidestHead),
      .value_head_dim = row.Count("head_dim", kWidestHead),
      .causal = row.Flag("causal"),
      .family = FamilyOf(row.Text("source")),
      .dtype = dtype == "fp8" ? DType::kFp8 : DType::kBf16};
  MeasuredOp op{
      .id = models::Dump(attention),
      .family = absl::StrCat(dtype, " ", models::NameOf(attention.family)),
      .layout = absl::StrCat(attention.heads, "/", attention.kv_heads, "x",
                             attention.head_dim),
      .kernels = {attention}};
  if (dtype != "bf16" && dtype != "fp16" && dtype != "fp8") {
    op.skipped = absl::StrCat("no law prices attention in ", dtype);
  }
  if (attention.heads % std::max<int64_t>(attention.kv_heads, 1) != 0) {
    op.skipped =
        absl::StrCat(attention.kv_heads, " key-value heads do not divide the ",
                     attention.heads, " heads");
  }
  if (row.Flag("incl_kv_write")) {
    // Keys and values of the new tokens, copied into the paged cache.
    const int64_t elements = 2 * attention.batch * attention.kv_heads *
                             attention.queries * attention.head_dim;
    op.kernels.push_back(models::MemoryBound{
        .kind = Pointwise::kCast,
        .read = models::BytesOf(DType::kBf16, elements),
        .written = models::BytesOf(
            kv_dtype == "fp8" ? DType::kFp8 : DType::kBf16, elements),
        .flops = {}});
  }
  return op;
}

}  // namespace scenarios
