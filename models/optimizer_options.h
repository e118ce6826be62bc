// What an optimizer keeps for each parameter, and in how many bytes.
//
//   OptimizerOptions o{.first_moment_bytes = 2, .second_moment_bytes = 2};
//   // DeepSeek-V3: BF16 moments
#ifndef MODELS_OPTIMIZER_OPTIONS_H_
#define MODELS_OPTIMIZER_OPTIONS_H_

#include <cstdint>

namespace models {

// How ranks that share a weight's optimizer state run Muon on it.
enum class MuonSharding : uint8_t {
  // Each rank orthogonalises whole matrices, dealt out by size (Megatron-Core's
  // LayerWiseDistributedOptimizer).
  kLayers,
  // State is cut where it falls. Ranks gather the matrices that are cut, and
  // each orthogonalises those it holds a part of (Liu et al. 2025,
  // arXiv:2502.16982, algorithm 1).
  kGather,
};

struct OptimizerOptions {
  // Bytes of a stored moment: 4, 2 or 1 (Megatron's --exp-avg-dtype,
  // --exp-avg-sq-dtype with --use-precision-aware-optimizer).
  int64_t first_moment_bytes = 4, second_moment_bytes = 4;
  // Of the copy of 16-bit weights that is updated: 4; 2; or 0: none, the
  // weights themselves are (--main-params-dtype).
  int64_t master_bytes = 4;
  // Two bytes of it are what a BF16 weight lacks of an FP32 one, so that no
  // copy is made to read it (Transformer Engine's store_param_remainders).
  bool master_remainders = false;
  // Iterations of Newton-Schulz in Muon (Jordan et al. 2024).
  int muon_steps = 5;
  MuonSharding muon_sharding = MuonSharding::kGather;
};

}  // namespace models

#endif  // MODELS_OPTIMIZER_OPTIONS_H_
