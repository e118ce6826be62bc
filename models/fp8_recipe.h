// How FP8 training scales its operands, and what it leaves in 16 bits.
//
//   Fp8Recipe r{.scaling = Fp8Scaling::kBlock, .first_bf16_layers = 1};
//
// Read where the precision is FP8. Every recipe multiplies E4M3 operands forward
// and E5M2 or E4M3 gradients backward, sums in FP32 and keeps master weights.
#ifndef MODELS_FP8_RECIPE_H_
#define MODELS_FP8_RECIPE_H_

#include <cstdint>

namespace models {

enum class Fp8Scaling : uint8_t {
  // One scale a tensor, from the largest values of earlier steps, which ranks
  // share once a step (Transformer Engine's DelayedScaling).
  kDelayed,
  // One scale a tensor, from its own largest value: one more pass over it
  // (Float8CurrentScaling, torchao's tensorwise).
  kCurrent,
  // One scale a row of each operand (torchao's rowwise).
  kRow,
  // One scale for 1 x 128 of activations and 128 x 128 of weights (DeepSeek-V3,
  // Float8BlockScaling).
  kBlock,
};

struct Fp8Recipe {
  Fp8Scaling scaling = Fp8Scaling::kDelayed;
  // Layers at either end of the model that stay in BF16 (NeMo's
  // first_last_layers_bf16, Megatron's --num-layers-at-start-in-bf16).
  int64_t first_bf16_layers = 0, last_bf16_layers = 0;
  // Weights are kept in FP8 beside the master copy, in no 16-bit copy
  // (Megatron's --fp8-param-gather, NeMo's fp8_params); false: the 16-bit
  // weights and FP8 copies of them.
  bool fp8_weights = false;
  // Transposed FP8 weights are kept through the step; false: made where they
  // are used (disable_parameter_transpose_cache).
  bool keep_transposes = true;
};

}  // namespace models

#endif  // MODELS_FP8_RECIPE_H_
