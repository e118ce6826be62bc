// How FP8 training scales its operands, and what it leaves in 16 bits.
//
//   Fp8Recipe r{.scaling = Fp8Scaling::kBlock, .first_bf16_layers = 1};
//
// Read where the precision is FP8. Every recipe multiplies E4M3 operands forward
// and E5M2 or E4M3 gradients backward, sums in FP32 and keeps master weights.
// The kernels around the products are in fp8_layer.cc, those of weights in
// fp8_weights.cc.
#ifndef MODELS_FP8_RECIPE_H_
#define MODELS_FP8_RECIPE_H_

#include <cstdint>

namespace models {

enum class Fp8Scaling : uint8_t {
  // Casts alone, those of norms and activations in the kernels before them; no
  // largest values, and inputs are kept in 16 bits. The least that FP8 costs.
  kCasts,
  // One scale a tensor, from the largest values of earlier passes, which ranks
  // share once a pass (Transformer Engine's DelayedScaling).
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

// Whose linear layers.
enum class Fp8Library : uint8_t {
  // Keep their inputs in FP8, and FP8 copies of weights through the step.
  kTransformerEngine,
  // Keep their inputs in 16 bits; inputs and weights are cast at each use.
  kTorchAo,
};

struct Fp8Recipe {
  Fp8Scaling scaling = Fp8Scaling::kCasts;
  Fp8Library library = Fp8Library::kTransformerEngine;
  // kDelayed: the ranks of a stage share largest values (reduce_amax).
  bool reduce_amax = true;
  // Layers at either end of the model that stay in BF16 (Megatron's
  // --num-layers-at-start-in-bf16, --num-layers-at-end-in-bf16).
  int64_t first_bf16_layers = 0, last_bf16_layers = 0;
  // Transposed FP8 weights, which Hopper's products need for input gradients,
  // are kept through the step; false: made where they are used
  // (--no-fp8-transpose-cache).
  bool keep_transposes = true;

  friend bool operator==(const Fp8Recipe&, const Fp8Recipe&) = default;
  bool stated() const { return scaling != Fp8Scaling::kCasts; }
  bool in_bf16(int64_t layer, int64_t layers) const {
    return layer >= 0 &&
           (layer < first_bf16_layers || layer >= layers - last_bf16_layers);
  }
};

}  // namespace models

#endif  // MODELS_FP8_RECIPE_H_
