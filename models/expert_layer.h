// The kernels of one layer of experts on one rank, forward.
//
//   // Mixtral's layer on one GPU, 64 tokens spread evenly:
//   const Routing routing{.tokens = 64, .experts = 8, .top_k = 2};
//   ExpertLayerKernels({.tokens = 64, .choices = 128, .hidden = 4096,
//                       .inter = 14336, .experts = 8,
//                       .rows = BalancedRows(routing)});
//   // permute, 128 x 28672 x 4096, activation, 128 x 4096 x 14336, unpermute
//
// The all-to-all that brings tokens to a rank and the shared experts are not
// part of it.
#ifndef MODELS_EXPERT_LAYER_H_
#define MODELS_EXPERT_LAYER_H_

#include <cstdint>
#include <vector>

#include "models/op.h"

namespace models {

struct ExpertLayer {
  int64_t tokens = 0;  // that enter and leave the rank's layer
  // Rows that the passes around the products visit. With kTriton, every choice
  // of every token on the rank, also of experts that it does not hold: tokens ·
  // top_k. kCutlass visits rows.rows, whatever this says.
  int64_t choices = 0;
  int64_t hidden = 0;   // width of the model
  int64_t inter = 0;    // width of an expert on this rank
  int64_t experts = 0;  // that the rank holds
  ExpertRows rows;      // on them
  bool gated = true;    // SwiGLU: the first product has 2 · inter columns
  DType dtype = DType::kBf16;  // of the products; others stay in BF16
  ExpertKernels family = ExpertKernels::kTriton;
  bool routes = false;             // choosing experts is part of it
  int64_t tile_m = 0, tile_n = 0;  // as in GroupedGemm
};

// In the order in which they run.
std::vector<Kernel> ExpertLayerKernels(const ExpertLayer& layer);

}  // namespace models

#endif  // MODELS_EXPERT_LAYER_H_
