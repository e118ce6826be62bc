#include "sim/serving/kv_pool.h"

#include <algorithm>
#include <cassert>
#include <cstddef>

namespace sim {
namespace {

// The finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// Of the block's place in the sequence and the ids of the chunks that it lies
// in, one or more. Among a million blocks two share a hash with probability
// 10^12 / 2^65, one in 37 million. REQUIRES: it lies wholly in known chunks.
uint64_t HashOf(const Request& request, int64_t block, int64_t block_tokens) {
  const int64_t begin = block * block_tokens;
  const int64_t first = begin / request.chunk;
  const int64_t last = (begin + block_tokens - 1) / request.chunk;
  uint64_t hash = Mix(static_cast<uint64_t>(begin));
  hash = Mix(hash ^ static_cast<uint64_t>(request.chunk));
  for (int64_t chunk = first; chunk <= last; ++chunk) {
    hash = Mix(hash ^ request.prefix[static_cast<size_t>(chunk)]);
  }
  return hash;
}

int64_t KnownTokens(const Request& request) {
  return static_cast<int64_t>(request.prefix.size()) * request.chunk;
}

}  // namespace

KvPool::KvPool(const Options& options)
    : options_(options), free_(options.blocks) {
  assert(options.blocks >= 0 && options.block_tokens > 0);
  assert(options.prefix_caching ||
         (options.host_blocks == 0 && options.disk_blocks == 0));
  tiers_[kDevice].room = options.blocks;
  tiers_[kHost].room = options.host_blocks;
  tiers_[kDisk].room = options.disk_blocks;
  for (size_t tier = 0; tier < kTiers; ++tier) {
    const CachedId end = AsId<CachedId>(tier);
    cached_.Append({.older = end, .newer = end});
  }
}

// Calls `visit` with each block of the hit, in order.
template <class Visit>
void KvPool::VisitHit(const Request& request, int64_t generated,
                      Visit visit) const {
  if (!options_.prefix_caching) return;
  const int64_t blocks =
      std::min(request.input + generated - 1, KnownTokens(request)) /
      options_.block_tokens;
  for (int64_t block = 0; block < blocks; ++block) {
    const auto found =
        by_hash_.find(HashOf(request, block, options_.block_tokens));
    if (found == by_hash_.end()) return;
    visit(found->second);
  }
}

KvPool::Hit KvPool::Find(const Request& request, int64_t generated) const {
  std::array<int64_t, kTiers> blocks = {};
  VisitHit(request, generated,
           [&](CachedId id) { ++blocks[cached_[id].tier]; });
  return {.device = blocks[kDevice] * options_.block_tokens,
          .host = blocks[kHost] * options_.block_tokens,
          .disk = blocks[kDisk] * options_.block_tokens};
}

std::optional<KvPool::Hit> KvPool::Admit(Slot slot, const Request& request,
                                         int64_t tokens, int64_t generated) {
  assert(tokens > 0);
  if (slot >= holdings_.size()) holdings_.resize(size_t{slot} + 1);
  Holding& holding = holdings_[slot];
  assert(holding.blocks == 0 && holding.cached.empty());
  std::array<int64_t, kTiers> hit = {};
  int64_t idle = 0;  // of the hit, on the device
  VisitHit(request, generated, [&](CachedId id) {
    const Cached& cached = cached_[id];
    ++hit[cached.tier];
    if (cached.tier == kDevice && cached.holders == 0) ++idle;
    holding.cached.push_back(id);
  });
  const int64_t hits = static_cast<int64_t>(holding.cached.size());
  const int64_t blocks = std::max(BlocksFor(tokens), hits);
  const int64_t fresh = blocks - hit[kDevice];
  if (fresh > available() - idle) {
    holding.cached.clear();
    return std::nullopt;
  }
  // The whole hit leaves the rings first: what making room evicts is none of
  // it, neither on the device nor from a tier that overflows.
  for (const CachedId id : holding.cached) {
    if (cached_[id].holders++ == 0) EndIdle(id);
  }
  allocated_ += idle;
  Take(fresh);
  holding.blocks = blocks;
  holding.next_full = AfterBlock(request, hits);
  return Hit{.device = hit[kDevice] * options_.block_tokens,
             .host = hit[kHost] * options_.block_tokens,
             .disk = hit[kDisk] * options_.block_tokens};
}

// Tokens up to the end of a block, or kNever if it cannot be cached.
int64_t KvPool::AfterBlock(const Request& request, int64_t block) const {
  const int64_t end = (block + 1) * options_.block_tokens;
  return options_.prefix_caching && end <= KnownTokens(request) ? end : kNever;
}

bool KvPool::GrowBlocks(Slot slot, int64_t tokens) {
  Holding& holding = holdings_[slot];
  assert(holding.blocks > 0);
  const int64_t more = BlocksFor(tokens) - holding.blocks;
  if (more > available()) return false;
  Take(more);
  holding.blocks += more;
  return true;
}

// Brings blocks into use: free ones, then the oldest idle.
// REQUIRES: blocks <= available().
void KvPool::Take(int64_t blocks) {
  allocated_ += blocks;
  const int64_t evicted = std::max<int64_t>(blocks - free_, 0);
  free_ -= blocks - evicted;
  evicted_ += evicted;
  for (int64_t i = 0; i < evicted; ++i) {
    MoveDown(cached_[CachedId{kDevice}].newer);
  }
}

void KvPool::CacheFull(Slot slot, const Request& request, int64_t tokens) {
  Holding& holding = holdings_[slot];
  assert(tokens <= capacity(slot));
  while (tokens >= holding.next_full) {
    const int64_t block = holding.next_full / options_.block_tokens - 1;
    holding.next_full = AfterBlock(request, block + 1);
    const uint64_t hash = HashOf(request, block, options_.block_tokens);
    const auto [place, absent] = by_hash_.try_emplace(hash);
    if (absent) {
      place->second = Remember(hash);
    } else if (cached_[place->second].tier == kDevice) {
      continue;
    } else {
      EndIdle(place->second);  // the copy further down is of no more use
    }
    cached_[place->second].holders = 1;
    holding.cached.push_back(place->second);
  }
}

void KvPool::Free(Slot slot) {
  Holding& holding = holdings_[slot];
  assert(holding.blocks > 0);
  const int64_t own =
      holding.blocks - static_cast<int64_t>(holding.cached.size());
  free_ += own;
  released_ += own;
  for (auto id = holding.cached.rbegin(); id != holding.cached.rend(); ++id) {
    if (--cached_[*id].holders > 0) continue;
    MakeIdle(*id, kDevice);
    ++released_;
  }
  holding.blocks = 0;
  holding.next_full = kNever;
  holding.cached.clear();
}

// A row for a block of the device that a request holds.
KvPool::CachedId KvPool::Remember(uint64_t hash) {
  if (spare_.empty()) return cached_.Append({.hash = hash});
  const CachedId id = spare_.back();
  spare_.pop_back();
  cached_[id] = {.hash = hash};
  return id;
}

// Makes a block the newest of a tier. REQUIRES: it is in no ring.
void KvPool::MakeIdle(CachedId id, Tier tier) {
  const CachedId end{tier};
  Cached& cached = cached_[id];
  cached.tier = tier;
  cached.older = cached_[end].older;
  cached.newer = end;
  cached_[cached.older].newer = id;
  cached_[end].older = id;
  ++tiers_[tier].idle;
}

// Takes an idle block out of its tier and onto the device.
void KvPool::EndIdle(CachedId id) {
  Cached& cached = cached_[id];
  cached_[cached.older].newer = cached.newer;
  cached_[cached.newer].older = cached.older;
  --tiers_[cached.tier].idle;
  cached.tier = kDevice;
}

// Moves an idle block to the next tier that has any room, whose oldest makes
// way; forgets it if there is none.
void KvPool::MoveDown(CachedId id) {
  const Tier from = cached_[id].tier;
  EndIdle(id);
  for (const Tier tier : {kHost, kDisk}) {
    if (tier <= from || tiers_[tier].room == 0) continue;
    if (tiers_[tier].idle == tiers_[tier].room) {
      MoveDown(cached_[CachedId{tier}].newer);
    }
    MakeIdle(id, tier);
    return;
  }
  by_hash_.erase(cached_[id].hash);
  spare_.push_back(id);
}

}  // namespace sim
