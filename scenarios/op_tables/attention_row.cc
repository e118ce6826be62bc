#include "scenarios/op_tables/attention_row.h"

#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace scenarios {
namespace {

using models::AttentionFamily;
using models::DType;

AttentionFamily FamilyOf(absl::string_view source) {
  if (absl::StrContains(source, "vllm")) return AttentionFamily::kVllm;
  if (absl::StrContains(source, "sglang")) return AttentionFamily::kSglang;
  if (absl::StrContains(source, "trtllm")) return AttentionFamily::kTensorRtLlm;
  if (absl::StrContains(source, "cudnn")) return AttentionFamily::kCudnn;
  if (absl::StrContains(source, "flashinfer"))
    return AttentionFamily::kFlashInfer;
  return AttentionFamily::kFlash2;
}

bool Priced(absl::string_view dtype) {
  return dtype == "bf16" || dtype == "fp16" || dtype == "fp8";
}

}  // namespace

models::Attention AttentionOf(OpRow& row) {
  models::Attention attention{
      .batch = row.Count("batch", kMostHeads),
      .heads = row.Count("heads", kMostHeads),
      .kv_heads = row.Count("kv_heads", kMostHeads),
      .keys = row.Count("kv_len", kMostTokens),
      .head_dim = row.Count("head_dim", kWidestHead),
      .value_head_dim = row.Count("head_dim", kWidestHead),
      .family = FamilyOf(row.Text("source")),
      .dtype = row.Text("dtype") == "fp8" ? DType::kFp8 : DType::kBf16};
  if (attention.dtype != DType::kFp8 && row.Text("kv_dtype") == "fp8") {
    attention.cache = DType::kFp8;
  }
  return attention;
}

MeasuredOp AttentionOp(OpRow& row, const models::Attention& attention) {
  const std::string dtype = row.Text("dtype");
  const std::string cache = row.Text("kv_dtype");
  MeasuredOp op{.id = models::Dump(attention),
                .family = absl::StrCat(dtype, cache == dtype ? "" : "/",
                                       cache == dtype ? "" : cache, " ",
                                       models::NameOf(attention.family)),
                .layout = absl::StrCat(attention.heads, "/", attention.kv_heads,
                                       "x", attention.head_dim),
                .kernels = {attention}};
  for (const std::string& type : {dtype, cache}) {
    if (Priced(type)) continue;
    op.skipped = absl::StrCat("no law prices attention in ", type);
  }
  if (attention.heads % std::max<int64_t>(attention.kv_heads, 1) != 0) {
    op.skipped =
        absl::StrCat(attention.kv_heads, " key-value heads do not divide the ",
                     attention.heads, " heads");
  }
  return op;
}

}  // namespace scenarios
