// What the rows of the two attention tables have in common.
//
//   a100,bf16,fp8,…,32,8,128,…    AttentionOf(row);  // 32/8 heads of 128,
//                                 // bf16 over an fp8 cache
#ifndef SCENARIOS_OP_TABLES_ATTENTION_ROW_H_
#define SCENARIOS_OP_TABLES_ATTENTION_ROW_H_

#include "models/op.h"
#include "scenarios/op_tables/op_tables.h"

namespace scenarios {

// Heads, types, batch, cached keys and the engine's family; the rest is left to
// the table.
models::Attention AttentionOf(OpRow& row);

// The row as an operator of that one kernel, with the reason if no law can
// price it. The family is "bf16 vllm", "bf16/fp8 vllm" over an 8-bit cache.
MeasuredOp AttentionOp(OpRow& row, const models::Attention& attention);

}  // namespace scenarios

#endif  // SCENARIOS_OP_TABLES_ATTENTION_ROW_H_
