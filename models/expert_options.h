// How a layer of experts is trained: who brings tokens to their experts, how
// many an expert takes, and whose kernels multiply.
//
//   ExpertOptions o{.dispatcher = TokenDispatcher::kDeepEp};
//   o.capacity_factor = 1;  // of 4,096 tokens x 8 choices over 128 experts,
//                           // each takes at most 256 from each rank
//
// Names are Megatron-Core's (megatron/core/transformer/transformer_config.py).
#ifndef MODELS_EXPERT_OPTIONS_H_
#define MODELS_EXPERT_OPTIONS_H_

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "models/expert_kernels.h"

namespace models {

// --moe-token-dispatcher-type.
enum class TokenDispatcher : uint8_t {
  kAllGather,  // every rank of a group gets all its tokens and picks its own
  kAllToAll,   // NCCL: each token goes to the ranks of its experts
  kDeepEp,     // "flex": DeepEP's kernels
};
absl::string_view NameOf(TokenDispatcher dispatcher);  // "all-to-all", …

// How the router spreads tokens over the experts.
enum class ExpertBalance : uint8_t {
  kBalanced,  // alike on all (--moe-router-force-load-balancing)
  kPowerLaw,  // popularity falls as a power of the rank (expert_load.h)
  kGiven,     // as `histogram` says
};

struct ExpertOptions {
  TokenDispatcher dispatcher = TokenDispatcher::kAllToAll;
  // An expert takes at most ceil(tokens · top_k / experts · factor) tokens of
  // each rank, the rest are dropped; 0: dropless.
  double capacity_factor = 0;
  bool pad_to_capacity = false;  // experts compute on as many, filled up
  ExpertKernels kernels = ExpertKernels::kTransformerEngine;
  bool fused_permute = true;  // --moe-permute-fusion
  bool fused_router = false;  // --moe-router-fusion
  // Losses of the router beside the model's: sums over its probabilities.
  bool balance_loss = true;  // --moe-router-load-balancing-type aux_loss
  bool z_loss = false;       // --moe-z-loss-coeff
  // The activation and the router's weights on it are computed again in the
  // backward pass (--recompute-modules moe_act); less is kept.
  bool recompute_activation = false;
  ExpertBalance balance = ExpertBalance::kBalanced;
  double power_law_alpha = 1.2;           // > 0, not 1; of kPowerLaw
  std::vector<int64_t> histogram = {};    // by expert; of kGiven
  // Multiprocessors of DeepEP's kernels (Buffer.set_num_sms), even.
  int deep_ep_multiprocessors = 20;

  bool drops() const { return capacity_factor > 0; }
};

}  // namespace models

#endif  // MODELS_EXPERT_OPTIONS_H_
