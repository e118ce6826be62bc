// Our own attention, by mma.sync, of BF16 or FP16 and heads of 64 or 128.
//
//   AttentionTensors t = …;
//   AttendForward("bf16", 128, t, stream);    // out and log_sums
//   AttendBackward("bf16", 128, t, stream);   // dq, dk, dv of those
//
// In the style of FlashAttention-2 (Dao 2023): scores never leave the chip, 64
// queries meet 64 keys at a time. A plain kernel to compare others with, and
// to check on any card; it does not reach what vendors' kernels do.
#ifndef TOOLS_CALIBRATE_MEASURE_ATTENTION_KERNELS_H_
#define TOOLS_CALIBRATE_MEASURE_ATTENTION_KERNELS_H_

#include <cuda_runtime.h>

#include <cstdint>

#include "tools/calibrate/cases.h"

namespace tools {

// Tensors of 16-bit elements, [batch][sequence][heads][head_dim]; the FP32 ones
// [batch][heads][q_len]. Query i sees keys 0 .. i + kv_len - q_len if causal.
struct AttentionTensors {
  const void *q, *k, *v;
  void* out;
  float* log_sums;  // log2 of the sum of 2^(score log2 e)
  // Backward.
  const void* out_gradient;
  float* delta;  // per query, the sum of out x out_gradient
  void *q_gradient, *k_gradient, *v_gradient;
  // Decoding: SplitsOf partial results per query.
  float *partial_out, *partial_log_sums;
  int splits;

  int batch, q_len, kv_len, heads, kv_heads;
  bool causal;
  float scale;  // of scores: 1 / sqrt(head_dim)
};

// Each is false if a kernel could not be launched, or has no such type or head.
bool AttendForward(const AttentionCase& c, const AttentionTensors& t,
                   cudaStream_t stream);
bool AttendBackward(const AttentionCase& c, const AttentionTensors& t,
                    cudaStream_t stream);
// One query per sequence over all its keys, which are split between blocks.
// REQUIRES: heads / kv_heads <= 16.
bool AttendDecode(const AttentionCase& c, const AttentionTensors& t,
                  cudaStream_t stream);

// Splits of the keys that give every multiprocessor two blocks, of 256 keys at
// least.
int SplitsOf(const AttentionCase& c, int multiprocessors);

}  // namespace tools

#endif  // TOOLS_CALIBRATE_MEASURE_ATTENTION_KERNELS_H_
