#include "scenarios/op_tables/attention_row.h"

namespace scenarios {

using models::DType;

MeasuredOp AttentionPrefillOp(OpRow& row) {
  models::Attention attention = AttentionOf(row);
  attention.queries = row.Count("q_len", kMostTokens);
  attention.causal = row.Flag("causal");
  MeasuredOp op = AttentionOp(row, attention);
  if (row.Flag("incl_kv_write")) {
    // Keys and values of the new tokens, copied into the paged cache.
    const int64_t elements = 2 * attention.batch * attention.kv_heads *
                             attention.queries * attention.head_dim;
    op.kernels.push_back(models::MemoryBound{
        .kind = models::Pointwise::kCast,
        .read = models::BytesOf(DType::kBf16, elements),
        .written = models::BytesOf(attention.cache.value_or(attention.dtype),
                                   elements),
        .flops = {}});
  }
  return op;
}

}  // namespace scenarios
