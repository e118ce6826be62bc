// How tokens spread over experts.
//
//   Routing r{.tokens = 64, .experts = 256, .top_k = 8, .ranks = 32};
//   BalancedLoad(r);         // {2, 2, 2, 2, 2, 2, 2, 2}: rank 0 holds 8
//   PowerLawRows(r, {}).rows;   // 32: the busiest rank has twice its share
//
// Both are the loads that NVIDIA's collector of measured layers gives to the
// rank it measures (ai-dynamo/aiconfigurator, collector/helper.py,
// balanced_logits and _generate_power_law_distribution):
//
//   balanced   token t takes experts (t + i * ceil(E / top_k)) mod E; fewer
//              tokens than that stride stand evenly apart in it. Rank 0.
//   power law  expert weights x_e drawn from the density x^-alpha on
//              [1, 0.8 tokens], or on [0.01, 2] where tokens * top_k <= E; an
//              expert has round(x_e / sum * tokens * top_k) rows, at most
//              `tokens`. What is then missing goes to the emptiest experts,
//              what is too much comes from the fullest, rank by rank. The rank
//              with the most rows.
//
// The collector draws with PyTorch's generator; here draw d of expert e is
// SplitMix64 of (d, e), the same for every number of tokens.
#ifndef MODELS_EXPERT_LOAD_H_
#define MODELS_EXPERT_LOAD_H_

#include <cstdint>
#include <vector>

#include "models/expert_kernels.h"

namespace models {

struct Routing {
  int64_t tokens = 0;   // of all ranks that share the experts, >= 1
  int64_t experts = 1;  // of all ranks; a multiple of `ranks`
  int64_t top_k = 1;    // experts of each token, 1..experts
  int64_t ranks = 1;    // that share the experts, each experts / ranks of them
};

// A power law of expert weights.
struct PowerLaw {
  double alpha = 1.2;       // > 0, not 1
  bool to_fullest = false;  // as the collector did before 2026
};

// Rows on each expert of rank 0. Cost: O(experts · top_k).
std::vector<int64_t> BalancedLoad(const Routing& routing);

// Rows on each expert of all ranks, the busiest first, in one draw. They sum to
// tokens · top_k. Cost: O(experts · log(experts)).
std::vector<int64_t> PowerLawDraw(const Routing& routing, const PowerLaw& law,
                                  uint64_t draw);

ExpertRows BalancedRows(const Routing& routing);
// Of the busiest rank; the mean of five draws, as the collector times five.
ExpertRows PowerLawRows(const Routing& routing, const PowerLaw& law);

}  // namespace models

#endif  // MODELS_EXPERT_LOAD_H_
