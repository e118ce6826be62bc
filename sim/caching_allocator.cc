#include "sim/caching_allocator.h"

#include <cassert>
#include <cstdint>
#include <iterator>

#include "sim/column.h"
#include "sim/units.h"

namespace sim {
namespace {

// All from c10/cuda/CUDACachingAllocator.cpp.
constexpr int64_t kRounding = 512;                 // kMinBlockSize
constexpr int64_t kLargestSmall = 1 << 20;         // kSmallSize
constexpr int64_t kSmallSegment = 2 << 20;         // kSmallBuffer
constexpr int64_t kLargeSegment = 20 << 20;        // kLargeBuffer
constexpr int64_t kSmallestOwnSegment = 10 << 20;  // kMinLargeAlloc
constexpr int64_t kSegmentRounding = 2 << 20;      // kRoundLarge

// Where the large pool's one expandable segment begins; the small pool's begins
// at 0. Far enough apart that they never meet.
constexpr int64_t kExpandableStride = int64_t{1} << 60;

constexpr int64_t RoundUp(int64_t bytes, int64_t to) {
  return (bytes + to - 1) / to * to;
}

// get_allocation_size.
constexpr int64_t SegmentSize(int64_t size) {
  if (size <= kLargestSmall) return kSmallSegment;
  if (size < kSmallestOwnSegment) return kLargeSegment;
  return RoundUp(size, kSegmentRounding);
}

// should_split: what is left of a block after `size` is taken becomes a block
// of its own if it is worth having.
constexpr bool IsWorthSplitting(int64_t remainder, bool any_size) {
  return any_size ? remainder >= kRounding : remainder > kLargestSmall;
}

}  // namespace

BlockId CachingAllocator::Allocate(Bytes bytes) {
  assert(bytes > Bytes(0));
  const int64_t size = RoundUp(bytes.count(), kRounding);
  const Pool pool = size <= kLargestSmall ? kSmall : kLarge;
  BlockId block = TakeCached(pool, size);
  if (block == kNone) {
    block = options_.expandable_segments ? GrowSegment(pool, size)
                                         : NewSegment(pool, size);
  }
  if (IsWorthSplitting(blocks_[block].size - size,
                       pool == kSmall || options_.expandable_segments)) {
    Split(block, size);
  }
  allocated_ += blocks_[block].size;
  return block;
}

void CachingAllocator::Free(BlockId block) {
  assert(!blocks_[block].cached);
  allocated_ -= blocks_[block].size;
  for (const BlockId neighbour :
       {blocks_[block].before, blocks_[block].after}) {
    if (neighbour != kNone && blocks_[neighbour].cached) {
      Uncache(neighbour);
      Absorb(block, neighbour);
    }
  }
  Cache(block);
}

// get_free_block. An expandable segment's last block counts as being as large
// as it can grow, so that any other block that fits comes before it.
BlockId CachingAllocator::TakeCached(Pool pool, int64_t size) {
  const auto& cache = cache_[pool];
  auto best = cache.lower_bound({size, 0, BlockId{0}});
  if (best == cache.end()) return kNone;
  if (best->block == tail_[pool] && std::next(best) != cache.end()) ++best;
  const BlockId block = best->block;
  Uncache(block);
  return block;
}

BlockId CachingAllocator::NewSegment(Pool pool, int64_t size) {
  const int64_t segment = SegmentSize(size);
  const BlockId block =
      NewBlock({.address = next_address_, .size = segment, .pool = pool});
  next_address_ += segment;
  reserved_ += segment;
  return block;
}

// try_allocate_expandable_block: maps the pages that the last block lacks, or
// all of them if it is in use.
BlockId CachingAllocator::GrowSegment(Pool pool, int64_t size) {
  const int64_t page = pool == kSmall ? kSmallSegment : kLargeSegment;
  BlockId tail = tail_[pool];
  const bool grow = tail != kNone && blocks_[tail].cached;
  const int64_t have = grow ? blocks_[tail].size : 0;
  const int64_t mapped = RoundUp(size - have, page);
  reserved_ += mapped;
  if (grow) {
    Uncache(tail);
    blocks_[tail].size += mapped;
    return tail;
  }
  const int64_t end = tail == kNone
                          ? pool * kExpandableStride
                          : blocks_[tail].address + blocks_[tail].size;
  const BlockId block =
      NewBlock({.address = end, .size = mapped, .before = tail, .pool = pool});
  if (tail != kNone) blocks_[tail].after = block;
  tail_[pool] = block;
  return block;
}

void CachingAllocator::Split(BlockId block, int64_t size) {
  Block rest = blocks_[block];
  rest.address += size;
  rest.size -= size;
  rest.before = block;
  const BlockId remainder = NewBlock(rest);
  if (rest.after != kNone) blocks_[rest.after].before = remainder;
  blocks_[block].after = remainder;
  blocks_[block].size = size;
  if (tail_[rest.pool] == block) tail_[rest.pool] = remainder;
  Cache(remainder);
}

// `block` grows over `neighbour`, whose row becomes spare.
void CachingAllocator::Absorb(BlockId block, BlockId neighbour) {
  Block& into = blocks_[block];
  const Block& from = blocks_[neighbour];
  into.size += from.size;
  if (into.before == neighbour) {
    into.address = from.address;
    into.before = from.before;
    if (from.before != kNone) blocks_[from.before].after = block;
  } else {
    into.after = from.after;
    if (from.after != kNone) blocks_[from.after].before = block;
  }
  if (tail_[into.pool] == neighbour) tail_[into.pool] = block;
  spare_.push_back(neighbour);
}

void CachingAllocator::Cache(BlockId id) {
  Block& block = blocks_[id];
  block.cached = true;
  cache_[block.pool].insert({block.size, block.address, id});
}

void CachingAllocator::Uncache(BlockId id) {
  Block& block = blocks_[id];
  block.cached = false;
  cache_[block.pool].erase({block.size, block.address, id});
}

BlockId CachingAllocator::NewBlock(const Block& block) {
  if (spare_.empty()) return blocks_.Append(block);
  const BlockId id = spare_.back();
  spare_.pop_back();
  blocks_[id] = block;
  return id;
}

}  // namespace sim
