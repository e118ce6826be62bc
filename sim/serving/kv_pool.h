// The paged key-value cache of one engine: blocks of a few tokens, counted
// exactly, shared between requests with equal prefixes, and kept for later ones
// until the room is needed (PagedAttention, Kwon et al. 2023; automatic prefix
// caching as in vLLM's block pool).
//
//   KvPool pool({.blocks = 1000, .block_tokens = 16});
//   pool.Admit(3, request, 100);  // 7 blocks; nullopt if there is no room
//   pool.Grow(3, 113);            // an eighth
//   pool.Free(3);
//
// With prefix caching a full block is known by a hash of the chunks it lies in
// (Request::prefix) and its place. A block that no request holds any more is
// idle: it stays, least recently used first to go, until no block is free; of
// one request the last block goes first, as vLLM frees them in reverse. Below
// the device there may be host memory and drives: an evicted block moves down a
// tier, and Admit brings it back, saying how many tokens that moves. A block is
// in one tier at a time.
#ifndef SIM_SERVING_KV_POOL_H_
#define SIM_SERVING_KV_POOL_H_

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "sim/column.h"
#include "sim/serving/request.h"

namespace sim {

class KvPool {
 public:
  struct Options {
    int64_t blocks = 0;  // on the device
    int64_t block_tokens = 16;
    bool prefix_caching = false;
    int64_t host_blocks = 0;  // tiers below, of cached blocks only; need
    int64_t disk_blocks = 0;  // prefix caching
  };
  // A request in the pool; small numbers, used again after Free.
  using Slot = uint32_t;

  // Tokens at the front of a sequence that are cached, by the tier that holds
  // them; whole blocks, and fewer than the sequence: the last token is computed
  // anyhow, for its logits.
  struct Hit {
    int64_t device = 0, host = 0, disk = 0;
    int64_t tokens() const { return device + host + disk; }
    friend bool operator==(const Hit&, const Hit&) = default;
  };

  explicit KvPool(const Options& options);

  // The sequence is the prompt and, where a preempted request comes again, the
  // `generated` tokens of its answer. O(blocks of the hit).
  Hit Find(const Request& request, int64_t generated = 0) const;

  // Room for the first `tokens` tokens of a request, its hit included and held
  // whole: shared, or brought back from lower tiers, each block into one of the
  // device's. Returns the hit; nullopt, and nothing changed, if there is too
  // little room. REQUIRES: the slot holds nothing; tokens > 0.
  std::optional<Hit> Admit(Slot slot, const Request& request, int64_t tokens,
                           int64_t generated = 0);

  // Room for `tokens` in all; at least what it has. False, and nothing changed,
  // if there is too little. REQUIRES: the slot holds something.
  bool Grow(Slot slot, int64_t tokens) {
    return tokens <= capacity(slot) || GrowBlocks(slot, tokens);
  }
  // Tokens that its blocks hold. REQUIRES: the slot was admitted once.
  int64_t capacity(Slot slot) const {
    return holdings_[slot].blocks * options_.block_tokens;
  }

  // The keys and values of the first `tokens` tokens are there: later requests
  // may share the full blocks among them. A block that is cached on the device
  // already stays the request's own. Nothing without prefix caching.
  // REQUIRES: tokens <= capacity(slot); the request is the one admitted.
  void Computed(Slot slot, const Request& request, int64_t tokens) {
    if (tokens >= holdings_[slot].next_full) CacheFull(slot, request, tokens);
  }

  // Gives everything back. REQUIRES: the slot holds something.
  void Free(Slot slot);

  // Blocks that Admit and Grow can use: free ones, and idle ones.
  int64_t available() const { return free_ + tiers_[kDevice].idle; }
  // Blocks that no request holds, kept for those to come.
  int64_t cached() const { return tiers_[kDevice].idle; }
  // Blocks that requests hold, shared ones once.
  int64_t used() const { return options_.blocks - available(); }
  int64_t BlocksFor(int64_t tokens) const {
    return (tokens + options_.block_tokens - 1) / options_.block_tokens;
  }
  const Options& options() const { return options_; }

  // Since the start. allocated() - released() is used().
  int64_t allocated() const { return allocated_; }  // blocks come into use …
  int64_t released() const { return released_; }    // … and out of it
  int64_t evicted() const { return evicted_; }      // idle blocks overwritten

 private:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  enum Tier : uint8_t { kDevice, kHost, kDisk, kTiers };
  struct IdleBlocks {
    int64_t idle = 0;
    int64_t room = 0;
  };
  enum class CachedId : uint32_t {};
  struct Cached {
    uint64_t hash = 0;
    CachedId older{}, newer{};  // a ring of the idle blocks of its tier
    uint32_t holders = 0;       // requests; idle if none
    Tier tier = kDevice;
  };
  struct Holding {
    int64_t blocks = 0;
    int64_t next_full = kNever;    // tokens that fill its next cacheable block
    std::vector<CachedId> cached;  // of its blocks, in order
  };

  template <class Visit>
  void VisitHit(const Request& request, int64_t generated, Visit visit) const;
  int64_t AfterBlock(const Request& request, int64_t block) const;
  bool GrowBlocks(Slot slot, int64_t tokens);
  void Take(int64_t blocks);
  void CacheFull(Slot slot, const Request& request, int64_t tokens);
  CachedId Remember(uint64_t hash);
  void MakeIdle(CachedId id, Tier tier);
  void EndIdle(CachedId id);
  void MoveDown(CachedId id);

  Options options_;
  int64_t free_;  // blocks of the device that neither are held nor cache
  int64_t allocated_ = 0, released_ = 0, evicted_ = 0;
  std::vector<Holding> holdings_;  // by slot
  std::array<IdleBlocks, kTiers> tiers_;
  // The first rows are the ends of the tiers' rings: `newer` of one is its
  // tier's oldest block.
  Column<CachedId, Cached> cached_;
  std::vector<CachedId> spare_;  // rows of cached_ that are free to use again
  absl::flat_hash_map<uint64_t, CachedId> by_hash_;
};

}  // namespace sim

#endif  // SIM_SERVING_KV_POOL_H_
