#include "scenarios/op_tables/attention_row.h"

namespace scenarios {

MeasuredOp AttentionDecodeOp(OpRow& row) {
  models::Attention attention = AttentionOf(row);
  attention.queries = 1;
  MeasuredOp op = AttentionOp(row, attention);
  // A CUDA graph that repeats one step on its cache.
  op.l2 = hardware::L2::kWarm;
  return op;
}

}  // namespace scenarios
