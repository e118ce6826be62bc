#include "sim/serving/router.h"

#include <cassert>

namespace sim {
namespace {

constexpr int64_t kMoreByFactor = 2, kMoreBy = 8;

size_t LeastBusy(std::span<const Replica* const> candidates) {
  size_t least = 0;
  for (size_t c = 1; c < candidates.size(); ++c) {
    if (candidates[c]->outstanding() < candidates[least]->outstanding()) {
      least = c;
    }
  }
  return least;
}

size_t BestCached(const Request& request,
                  std::span<const Replica* const> candidates) {
  const size_t least = LeastBusy(candidates);
  const int64_t fewest = candidates[least]->outstanding();
  size_t best = least;
  int64_t most = candidates[least]->cache().Find(request).tokens();
  for (size_t c = 0; c < candidates.size(); ++c) {
    const int64_t busy = candidates[c]->outstanding();
    if (busy > kMoreByFactor * fewest && busy > fewest + kMoreBy) continue;
    const int64_t cached = candidates[c]->cache().Find(request).tokens();
    if (cached > most) {
      most = cached;
      best = c;
    }
  }
  return best;
}

}  // namespace

size_t Router::Pick(const Request& request,
                    std::span<const Replica* const> candidates) {
  assert(!candidates.empty());
  switch (kind_) {
    case RouterKind::kRoundRobin:
      return turn_++ % candidates.size();
    case RouterKind::kLeastOutstanding:
      return LeastBusy(candidates);
    case RouterKind::kPowerOfTwo: {
      const size_t n = candidates.size();
      if (n == 1) return 0;
      const size_t a = random_() % n;
      const size_t b = (a + 1 + random_() % (n - 1)) % n;
      return candidates[b]->outstanding() < candidates[a]->outstanding() ? b
                                                                         : a;
    }
    case RouterKind::kPrefixAware:
      return BestCached(request, candidates);
  }
  return 0;
}

}  // namespace sim
