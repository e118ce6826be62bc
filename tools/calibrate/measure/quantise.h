// BF16 to FP8 (e4m3) with one scale per tensor, taken from its largest value:
// what runs before an FP8 GEMM whose activations are BF16.
//
//   QuantisePerTensor(x, n, {amax, scale, x8}, bench);
//   // scale = max |x| / 448, x8 = x / scale
#ifndef TOOLS_CALIBRATE_MEASURE_QUANTISE_H_
#define TOOLS_CALIBRATE_MEASURE_QUANTISE_H_

#include <cuda_bf16.h>
#include <cuda_fp8.h>

#include <cstdint>

#include "tools/calibrate/measure/bench.h"

namespace tools {

constexpr float kLargestFp8 = 448;  // of e4m3

struct Quantised {
  float* amax;   // of |x|
  float* scale;  // amax / 448
  __nv_fp8_e4m3* values;
};

// Three steps on bench.stream: clears amax, finds it, converts. False if one
// could not be launched. REQUIRES, here and below: n is a multiple of 8.
bool QuantisePerTensor(const __nv_bfloat16* x, int64_t n, const Quantised& to,
                       Bench& bench);

// The steps alone; amax is only ever raised.
bool RaiseAmax(const __nv_bfloat16* x, int64_t n, float* amax, Bench& bench);
bool ConvertToFp8(const __nv_bfloat16* x, int64_t n, const Quantised& to,
                  Bench& bench);

}  // namespace tools

#endif  // TOOLS_CALIBRATE_MEASURE_QUANTISE_H_
