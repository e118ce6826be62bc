#include "scenarios/op_tables/attention_row.h"

namespace scenarios {

MeasuredOp AttentionPrefillOp(OpRow& row) {
  models::Attention attention = AttentionOf(row);
  attention.queries = row.Count("q_len", kMostTokens);
  attention.causal = row.Flag("causal");
  attention.writes_cache = row.Flag("incl_kv_write");
  return AttentionOp(row, attention);
}

}  // namespace scenarios
