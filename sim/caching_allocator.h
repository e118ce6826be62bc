// PyTorch's caching allocator for GPU memory, without the GPU.
//
//   CachingAllocator allocator({});
//   BlockId block = allocator.Allocate(MiB(3));  // from a new 20 MiB segment
//   allocator.allocated();                       // 3 MiB
//   allocator.Free(block);
//   allocator.reserved();                        // 20 MiB: segments are kept
//
// The rules are those of c10/cuda/CUDACachingAllocator.cpp (PyTorch 1.x to 2.x,
// default settings); its names for the constants stand beside ours. One stream:
// a freed block may be used again at once. The device never runs out: whether
// reserved() fits is for the caller to say.
#ifndef SIM_CACHING_ALLOCATOR_H_
#define SIM_CACHING_ALLOCATOR_H_

#include <array>
#include <compare>
#include <cstdint>
#include <vector>

#include "absl/container/btree_set.h"
#include "sim/column.h"
#include "sim/units.h"

namespace sim {

enum class BlockId : uint32_t {};

class CachingAllocator {
 public:
  struct Options {
    // PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True. One segment for each
    // pool grows page by page, instead of one segment for each new size.
    bool expandable_segments = false;
  };

  explicit CachingAllocator(const Options& options) : options_(options) {}

  // The smallest cached block that holds `bytes`, split if much is left over;
  // a new segment, or more pages, if there is none.
  // REQUIRES: bytes > 0. Cost: O(log cached blocks).
  BlockId Allocate(Bytes bytes);

  // Back to the cache, joined with the neighbours that lie there.
  // REQUIRES: `block` came from Allocate and has not been freed since.
  void Free(BlockId block);

  // torch.cuda.memory_allocated(): the sizes of the blocks in use.
  Bytes allocated() const { return Bytes(allocated_); }
  // torch.cuda.memory_reserved(): taken from the device, in use or cached.
  Bytes reserved() const { return Bytes(reserved_); }

  // A block may be larger than what was asked for: rounding, and remainders
  // too small to split off. REQUIRES: `block` is in use.
  Bytes size(BlockId block) const { return Bytes(blocks_[block].size); }
  // Bytes from an origin of our own; blocks in use never overlap.
  int64_t address(BlockId block) const { return blocks_[block].address; }

 private:
  static constexpr BlockId kNone{0xffffffff};

  enum Pool : uint8_t { kSmall, kLarge };
  struct Block {
    int64_t address = 0;
    int64_t size = 0;
    BlockId before = kNone, after = kNone;  // neighbours in its segment
    Pool pool = kSmall;
    bool cached = false;
  };
  // Best fit is the first that is not smaller; the lowest address among equals.
  struct Cached {
    int64_t size;
    int64_t address;
    BlockId block;
    friend constexpr auto operator<=>(const Cached&, const Cached&) = default;
  };

  BlockId TakeCached(Pool pool, int64_t size);
  BlockId NewSegment(Pool pool, int64_t size);
  BlockId GrowSegment(Pool pool, int64_t size);
  void Split(BlockId block, int64_t size);
  void Absorb(BlockId block, BlockId neighbour);
  void Cache(BlockId block);
  void Uncache(BlockId block);
  BlockId NewBlock(const Block& block);

  Options options_;
  int64_t allocated_ = 0;
  int64_t reserved_ = 0;
  int64_t next_address_ = 0;  // of the next segment
  Column<BlockId, Block> blocks_;
  std::vector<BlockId> spare_;  // rows of blocks_ that are free to use again
  std::array<absl::btree_set<Cached>, 2> cache_;
  // Expandable segments: the last block of each pool's one segment.
  std::array<BlockId, 2> tail_ = {kNone, kNone};
};

}  // namespace sim

#endif  // SIM_CACHING_ALLOCATOR_H_
