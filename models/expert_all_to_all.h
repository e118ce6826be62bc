// The exchange that brings tokens to the ranks of their experts and back, as
// expert-parallel layers run it: work, no machine.
//
//   // DeepSeek-V3's experts over 64 ranks on 8 nodes, at most 4 nodes a token:
//   ExpertAllToAll d{.tokens = 4096, .hidden = 7168, .experts = 256,
//                    .top_k = 8, .node_limit = 4};
//   SpreadOf(d, 64, 8).nodes;  // 3.6: a token's row goes to so many nodes
//   SpreadOf(d, 64, 8).ranks;  // 7.4: and from there to so many ranks
//
// Which experts a token takes is random, each set as likely as any other.
#ifndef MODELS_EXPERT_ALL_TO_ALL_H_
#define MODELS_EXPERT_ALL_TO_ALL_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "models/dtype.h"

namespace models {

enum class ExpertDirection : uint8_t {
  kDispatch,  // tokens to their experts
  kCombine,   // what experts made of them, summed, back
};
absl::string_view NameOf(ExpertDirection direction);  // "dispatch", "combine"

// DeepEP's two sets of kernels (github.com/deepseek-ai/DeepEP).
enum class ExpertExchange : uint8_t {
  kNormal,      // one copy to each node and rank; prefill, training
  kLowLatency,  // one message to each expert; decoding
};
absl::string_view NameOf(ExpertExchange mode);  // "normal", "low-latency"

struct ExpertAllToAll {
  ExpertDirection direction = ExpertDirection::kDispatch;
  ExpertExchange mode = ExpertExchange::kNormal;
  int64_t tokens = 0;      // of one rank, >= 1
  int64_t hidden = 0;      // elements of a row, >= 1
  int64_t experts = 1;     // of all ranks together
  int64_t top_k = 1;       // experts of a token, 1..experts
  int64_t node_limit = 0;  // nodes that hold a token's experts; 0: all
  // kFp8 carries an FP32 scale for each 128 elements.
  DType dtype = DType::kBf16;
  int multiprocessors = 24;  // that kNormal runs on; DeepEP's default
  friend bool operator==(const ExpertAllToAll&,
                         const ExpertAllToAll&) = default;
};

// Bytes of one row on its way.
double RowBytes(const ExpertAllToAll& exchange);

// Parts that hold at least one of the top_k experts of a token, where each of
// `parts` holds as many of the `experts`: parts · (1 - C(experts - experts /
// parts, top_k) / C(experts, top_k)). REQUIRES: parts >= 1.
double DistinctParts(double experts, double parts, int64_t top_k);

// How many nodes and ranks a token's row reaches, its own included.
struct ExpertSpread {
  double nodes = 1, ranks = 1;
};
ExpertSpread SpreadOf(const ExpertAllToAll& exchange, int ranks, int nodes);

}  // namespace models

#endif  // MODELS_EXPERT_ALL_TO_ALL_H_
