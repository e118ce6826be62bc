// How the ranks of a context-parallel group, which divide each sequence, get at
// each other's keys and values.
//
//   Split s{.context = 8, .context_kind = ContextKind::kHybrid,
//           .context_inner = 2};
//   s.head_ranks();  // 2 neighbours divide the heads by an all-to-all,
//   s.ring_ranks();  // and 4 such pairs pass keys around
//
// Each rank holds two chunks of a sequence, as far from its start as from its
// end, so that the causal mask leaves all of them the same work (zig-zag).
#ifndef MODELS_CONTEXT_KIND_H_
#define MODELS_CONTEXT_KIND_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace models {

// Megatron's and Transformer Engine's cp_comm_type, and PyTorch's own.
enum class ContextKind : uint8_t {
  kP2p,        // keys and values go round a ring (Liu et al. 2023)
  kAllGather,  // every rank gathers all of them (Llama 3, section 3.3.2)
  kAllToAll,   // ranks exchange parts of sequences for heads (DeepSpeed-Ulysses)
  kHybrid,     // heads among neighbours, a ring beyond (USP, Fang and Zhao 2024)
  kPyTorch,    // torch context_parallel: gathered once, then the ring's steps
};
absl::string_view NameOf(ContextKind kind);  // "P2P", "ALL_GATHER", …

}  // namespace models

#endif  // MODELS_CONTEXT_KIND_H_
