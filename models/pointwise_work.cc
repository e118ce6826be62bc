#include "models/pointwise_work.h"

#include <cstddef>

namespace models {
namespace {

// Per element. `words` scale with the activations' width (2 bytes for 16-bit
// training, 4 for FP32); `bytes` do not (masks, FP32 temporaries, FP8).
struct Traffic {
  double words_read, words_written, bytes_read, bytes_written;
  int kernels;
};

struct Row {
  Pointwise kind;
  double flops;  // per element: the arithmetic of the formula
  Traffic fused, eager;
};

// Counted from the operations each implementation runs. Fused: Apex / Megatron
// / Transformer Engine kernels read their inputs and write their outputs once.
// Eager: the kernels PyTorch launches for the reference module:
//  LayerNorm is one native kernel each way (two backward: input and weight);
//  RMSNorm (Hugging Face LlamaRMSNorm): to FP32, square, mean, add+rsqrt,
//  scale,
//    to 16-bit, weight; backward mirrors each;
//  SwiGLU: SiLU, product; backward SiLU', two products;
//  rotary (apply_rotary_pos_emb): two products, negate, concatenate, add;
//  softmax: scale, mask add, softmax; backward softmax', scale;
//  cross-entropy: to FP32, log-softmax, pick; backward one FP32 kernel, then to
//    16-bit.
constexpr Row kRows[] = {
    /*LayerNormForward*/ {
        Pointwise::kNorm, 7, {1, 1, 0, 0, 1}, {1, 1, 0, 0, 1}},
    // dy, x, and the residual stream's gradient is added by kAdd.
    /*LayerNormBackward*/
    {Pointwise::kNorm, 14, {2, 1, 0, 0, 2}, {4, 1, 0, 0, 2}},
    /*RmsNormForward*/
    {Pointwise::kNorm, 4, {1, 1, 0, 0, 1}, {2, 2, 16, 12, 7}},
    /*RmsNormBackward*/
    {Pointwise::kNorm, 10, {2, 1, 0, 0, 2}, {4, 3, 28, 20, 10}},
    /*ActivationForward*/
    {Pointwise::kActivation, 8, {1, 1, 0, 0, 1}, {1, 1, 0, 0, 1}},
    /*ActivationBackward*/
    {Pointwise::kActivation, 12, {2, 1, 0, 0, 1}, {2, 1, 0, 0, 1}},
    /*GatedForward*/
    {Pointwise::kGated, 6, {2, 1, 0, 0, 1}, {3, 2, 0, 0, 2}},
    /*GatedBackward*/
    {Pointwise::kGated, 10, {3, 2, 0, 0, 1}, {6, 3, 0, 0, 3}},
    /*Rotary*/ {Pointwise::kRotary, 3, {1, 1, 0, 0, 1}, {6, 5, 0, 0, 5}},
    /*ResidualForward*/
    {Pointwise::kResidual, 1, {2, 1, 0, 0, 1}, {2, 1, 0, 0, 1}},
    /*DropoutAddForward*/
    {Pointwise::kResidual, 3, {2, 1, 0, 1, 1}, {3, 2, 0, 1, 2}},
    /*DropoutBackward*/
    {Pointwise::kResidual, 1, {1, 1, 1, 0, 1}, {1, 1, 1, 0, 1}},
    /*Add*/ {Pointwise::kResidual, 1, {2, 1, 0, 0, 1}, {2, 1, 0, 0, 1}},
    /*SoftmaxForward*/
    {Pointwise::kSoftmax, 5, {1, 1, 0, 0, 1}, {3, 3, 0, 0, 3}},
    /*SoftmaxBackward*/
    {Pointwise::kSoftmax, 4, {2, 1, 0, 0, 1}, {3, 2, 0, 0, 2}},
    /*ScoreDropout*/
    {Pointwise::kSoftmax, 1, {1, 1, 0, 1, 1}, {1, 1, 0, 1, 1}},
    /*ScoreDropoutBackward*/
    {Pointwise::kSoftmax, 1, {1, 1, 1, 0, 1}, {1, 1, 1, 0, 1}},
    /*Quantise*/ {Pointwise::kCast, 1, {1, 0, 0, 2, 1}, {1, 0, 0, 2, 1}},
    /*BiasGradient*/
    {Pointwise::kReduction, 1, {1, 0, 0, 0, 1}, {1, 0, 0, 0, 1}},
    /*CrossEntropyForward*/
    {Pointwise::kCrossEntropy, 4, {1, 0, 0, 0, 1}, {1, 0, 8, 8, 3}},
    /*CrossEntropyBackward*/
    {Pointwise::kCrossEntropy, 3, {1, 1, 0, 0, 1}, {0, 1, 8, 4, 2}},
};
static_assert(std::size(kRows) ==
              static_cast<size_t>(PointwiseOp::kCrossEntropyBackward) + 1);

sim::Bytes Total(double words, double bytes, int64_t elements, int bits) {
  const double each = words * bits / 8 + bytes;
  return sim::Bytes(static_cast<int64_t>(each * static_cast<double>(elements)));
}

}  // namespace

MemoryBound PointwiseWork(PointwiseOp op, bool fused, int64_t elements,
                          int bits, int64_t rows) {
  const Row& row = kRows[static_cast<size_t>(op)];
  const Traffic& t = fused ? row.fused : row.eager;
  // PyTorch has one kernel of its own for most kinds; of the rest, eager code
  // makes chains.
  const bool chain = t.kernels > row.fused.kernels;
  return {.kind = row.kind,
          .family = chain ? PointwiseFamily::kEager : PointwiseFamily::kPyTorch,
          .read = Total(t.words_read, t.bytes_read, elements, bits),
          .written = Total(t.words_written, t.bytes_written, elements, bits),
          .flops = sim::Flops(row.flops * static_cast<double>(elements)),
          .kernels = t.kernels,
          .rows = rows};
}

}  // namespace models
