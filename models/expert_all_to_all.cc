#include "models/expert_all_to_all.h"

#include <algorithm>
#include <cmath>

namespace models {

absl::string_view NameOf(ExpertDirection direction) {
  constexpr absl::string_view kNames[] = {"dispatch", "combine"};
  return kNames[static_cast<size_t>(direction)];
}

absl::string_view NameOf(ExpertExchange mode) {
  constexpr absl::string_view kNames[] = {"normal", "low-latency"};
  return kNames[static_cast<size_t>(mode)];
}

double RowBytes(const ExpertAllToAll& exchange) {
  const auto elements = static_cast<double>(exchange.hidden);
  const double bytes = elements * BitsOf(exchange.dtype) / 8;
  if (exchange.dtype != DType::kFp8) return bytes;
  return bytes + 4 * std::ceil(elements / 128);
}

double DistinctParts(double experts, double parts, int64_t top_k) {
  const double elsewhere = experts - experts / parts;
  double missed = 1;  // chance that all of top_k lie elsewhere
  for (int64_t i = 0; i < top_k; ++i) {
    const auto taken = static_cast<double>(i);
    missed *= std::max(0.0, (elsewhere - taken) / (experts - taken));
  }
  return parts * (1 - missed);
}

ExpertSpread SpreadOf(const ExpertAllToAll& exchange, int ranks, int nodes) {
  const double limit =
      exchange.node_limit > 0
          ? static_cast<double>(std::min<int64_t>(exchange.node_limit, nodes))
          : nodes;
  const double share = limit / nodes;
  const double experts = static_cast<double>(exchange.experts) * share;
  return {.nodes = DistinctParts(experts, limit, exchange.top_k),
          .ranks = DistinctParts(experts, ranks * share, exchange.top_k)};
}

}  // namespace models
