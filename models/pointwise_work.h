// HBM traffic of the kernels between the matrix products, fused or not.
//
//   // RMSNorm of 8192 tokens x 8192 in BF16, one fused kernel:
//   PointwiseWork(kNormForward, true, 8192 * 8192, 16);  // reads 2 B, writes 2
//
// A row of the table in the .cc is one operation: bytes per element read and
// written by the fused kernel, and by the sequence of kernels eager PyTorch
// runs. To add one: a name here and a row there.
#ifndef MODELS_POINTWISE_WORK_H_
#define MODELS_POINTWISE_WORK_H_

#include <cstdint>

#include "models/op.h"

namespace models {

enum class PointwiseOp : uint8_t {
  kLayerNormForward,
  kLayerNormBackward,
  kRmsNormForward,
  kRmsNormBackward,
  kActivationForward,  // plain: per element of the hidden layer
  kActivationBackward,
  kGatedForward,  // SiLU(gate) · up: per element of the product
  kGatedBackward,
  kRotary,             // in place; backward alike
  kResidualForward,    // bias + add
  kDropoutAddForward,  // bias + dropout + add, keeps a byte mask
  kDropoutBackward,
  kAdd,             // a + b
  kSoftmaxForward,  // scale + mask + softmax of materialised scores
  kSoftmaxBackward,
  kScoreDropout,  // of attention probabilities, keeps a byte mask
  kScoreDropoutBackward,
  kQuantise,      // 16-bit to FP8, and its transpose
  kBiasGradient,  // column sums
  kCrossEntropyForward,
  kCrossEntropyBackward,
};

// Traffic of `op` over `elements` elements of 16-bit (bits = 16) or 32-bit
// (bits = 32) activations, which lie in `rows` rows (MemoryBound::rows).
MemoryBound PointwiseWork(PointwiseOp op, bool fused, int64_t elements,
                          int bits, int64_t rows = 0);

}  // namespace models

#endif  // MODELS_POINTWISE_WORK_H_
