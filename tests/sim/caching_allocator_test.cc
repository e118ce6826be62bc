#include "sim/caching_allocator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <random>
#include <vector>

#include "sim/units.h"

namespace sim {
namespace {

constexpr CachingAllocator::Options kDefault{};
constexpr CachingAllocator::Options kExpandable{.expandable_segments = true};

TEST(CachingAllocator, RoundsUpTo512Bytes) {
  CachingAllocator allocator(kDefault);
  EXPECT_EQ(allocator.size(allocator.Allocate(Bytes(1))), Bytes(512));
  EXPECT_EQ(allocator.size(allocator.Allocate(Bytes(512))), Bytes(512));
  EXPECT_EQ(allocator.size(allocator.Allocate(Bytes(513))), Bytes(1024));
  EXPECT_EQ(allocator.allocated(), Bytes(512 + 512 + 1024));
  EXPECT_EQ(allocator.reserved(), MiB(2));
}

TEST(CachingAllocator, RequestsUpToOneMebibyteShareSegmentsOfTwo) {
  CachingAllocator allocator(kDefault);
  allocator.Allocate(MiB(1));
  allocator.Allocate(MiB(1));
  EXPECT_EQ(allocator.reserved(), MiB(2));
  allocator.Allocate(KiB(1));
  EXPECT_EQ(allocator.reserved(), MiB(4));
}

TEST(CachingAllocator, RequestsBelowTenMebibytesShareSegmentsOfTwenty) {
  CachingAllocator allocator(kDefault);
  // 9.5 + 9.5 = 19 of 20 MiB; the third does not fit in what is left.
  allocator.Allocate(KiB(9728));
  allocator.Allocate(KiB(9728));
  EXPECT_EQ(allocator.reserved(), MiB(20));
  allocator.Allocate(KiB(9728));
  EXPECT_EQ(allocator.reserved(), MiB(40));
}

TEST(CachingAllocator, RequestsFromTenMebibytesGetTheirOwnRoundedToTwo) {
  CachingAllocator allocator(kDefault);
  allocator.Allocate(MiB(10));
  EXPECT_EQ(allocator.reserved(), MiB(10));
  allocator.Allocate(MiB(100) + Bytes(1));
  EXPECT_EQ(allocator.reserved(), MiB(10 + 102));
}

TEST(CachingAllocator, AOneMebibyteRemainderOfALargeBlockIsNotSplitOff) {
  CachingAllocator allocator(kDefault);
  // 11 of 12 MiB: the remainder of 1 MiB stays with the block and counts.
  allocator.Allocate(MiB(11));
  EXPECT_EQ(allocator.allocated(), MiB(12));
  // 512 bytes less leave more than 1 MiB, which is split off.
  CachingAllocator other(kDefault);
  other.Allocate(MiB(11) - Bytes(512));
  EXPECT_EQ(other.allocated(), MiB(11) - Bytes(512));
}

TEST(CachingAllocator, FreedMemoryStaysReservedAndIsUsedAgain) {
  CachingAllocator allocator(kDefault);
  const BlockId first = allocator.Allocate(MiB(64));
  const int64_t address = allocator.address(first);
  allocator.Free(first);
  EXPECT_EQ(allocator.allocated(), Bytes(0));
  EXPECT_EQ(allocator.reserved(), MiB(64));
  EXPECT_EQ(allocator.address(allocator.Allocate(MiB(32))), address);
  EXPECT_EQ(allocator.reserved(), MiB(64));
}

TEST(CachingAllocator, NeighboursJoinWhicheverIsFreedFirst) {
  for (const bool ascending : {true, false}) {
    CachingAllocator allocator(kDefault);
    std::vector<BlockId> blocks;
    for (int i = 0; i < 4; ++i) blocks.push_back(allocator.Allocate(MiB(5)));
    if (!ascending) std::reverse(blocks.begin(), blocks.end());
    for (const BlockId block : blocks) allocator.Free(block);
    // The four joined are 20 MiB again, enough for one request of 20.
    allocator.Allocate(MiB(20));
    EXPECT_EQ(allocator.reserved(), MiB(20));
  }
}

TEST(CachingAllocator, SegmentsThatTouchDoNotJoin) {
  CachingAllocator allocator(kDefault);
  const BlockId a = allocator.Allocate(MiB(10));
  const BlockId b = allocator.Allocate(MiB(10));
  allocator.Free(a);
  allocator.Free(b);
  allocator.Allocate(MiB(20));
  EXPECT_EQ(allocator.reserved(), MiB(10 + 10 + 20));
}

TEST(CachingAllocator, TakesTheSmallestCachedBlockThatFits) {
  CachingAllocator allocator(kDefault);
  const BlockId big = allocator.Allocate(MiB(100));
  const BlockId fits = allocator.Allocate(MiB(40));
  const BlockId small = allocator.Allocate(MiB(30));
  const int64_t address = allocator.address(fits);
  for (const BlockId block : {big, fits, small}) allocator.Free(block);
  EXPECT_EQ(allocator.address(allocator.Allocate(MiB(36))), address);
}

TEST(CachingAllocator, ExpandableSegmentsReserveTheHighWaterInPages) {
  CachingAllocator allocator(kExpandable);
  // 64 MiB take 4 pages of 20; 40 more fill the 16 left and 2 pages more.
  const BlockId a = allocator.Allocate(MiB(64));
  EXPECT_EQ(allocator.reserved(), MiB(80));
  const BlockId b = allocator.Allocate(MiB(40));
  EXPECT_EQ(allocator.reserved(), MiB(120));
  allocator.Free(a);
  allocator.Free(b);
  // One block again: 110 MiB fit, where 64 + 40 apart would not have held them.
  allocator.Allocate(MiB(110));
  EXPECT_EQ(allocator.reserved(), MiB(120));
  // The small pool has pages of its own, of 2 MiB.
  allocator.Allocate(KiB(4));
  EXPECT_EQ(allocator.reserved(), MiB(122));
}

TEST(CachingAllocator, ExpandableSegmentsFillHolesBeforeTheirEnd) {
  CachingAllocator allocator(kExpandable);
  const BlockId hole = allocator.Allocate(MiB(30));
  allocator.Allocate(MiB(8));  // 2 MiB are left at the end of page 2
  allocator.Free(hole);
  // Both the hole (30) and, as the end can grow without bound, the end (2)
  // could take 2 MiB; the hole does.
  EXPECT_EQ(allocator.address(allocator.Allocate(MiB(2))), int64_t{1} << 60);
}

// The same rules by the simplest means: every segment a list of pieces, every
// search a scan of them all.
class NaiveAllocator {
 public:
  explicit NaiveAllocator(bool expandable) : expandable_(expandable) {}

  void Allocate(int key, int64_t bytes) {
    const int64_t size = (bytes + 511) / 512 * 512;
    const bool small = size <= kMiB;
    Piece* piece = BestFit(small, size);
    if (piece == nullptr) piece = MakeRoom(small, size);
    const int64_t rest = piece->size - size;
    if (small || expandable_ ? rest >= 512 : rest > kMiB) {
      const auto next = std::next(piece->self);
      piece->segment->pieces.insert(next, Piece{.size = rest});
      piece->size = size;
    }
    piece->key = key;
  }

  void Free(int key) {
    for (Segment& segment : segments_) {
      for (Piece& piece : segment.pieces) {
        if (piece.key == key) piece.key = kFree;
      }
      for (auto a = segment.pieces.begin(); a != segment.pieces.end();) {
        const auto b = std::next(a);
        if (b != segment.pieces.end() && a->key == kFree && b->key == kFree) {
          a->size += b->size;
          segment.pieces.erase(b);
        } else {
          ++a;
        }
      }
    }
  }

  int64_t Sum(bool used_only) const {
    int64_t sum = 0;
    for (const Segment& segment : segments_) {
      for (const Piece& piece : segment.pieces) {
        if (!used_only || piece.key != kFree) sum += piece.size;
      }
    }
    return sum;
  }

 private:
  static constexpr int64_t kMiB = 1 << 20;
  static constexpr int kFree = -1;
  struct Segment;
  struct Piece {
    int64_t size = 0;
    int key = kFree;
    Segment* segment = nullptr;
    std::list<Piece>::iterator self = {};
  };
  struct Segment {
    bool small;
    std::list<Piece> pieces;
  };

  Piece* Here(Segment& segment, std::list<Piece>::iterator piece) {
    piece->segment = &segment;
    piece->self = piece;
    return &*piece;
  }

  Piece* BestFit(bool small, int64_t size) {
    Piece* best = nullptr;
    int64_t best_size = 0;
    for (Segment& segment : segments_) {
      if (segment.small != small) continue;
      for (auto p = segment.pieces.begin(); p != segment.pieces.end(); ++p) {
        if (p->key != kFree || p->size < size) continue;
        const bool can_grow =
            expandable_ && std::next(p) == segment.pieces.end();
        const int64_t as_large_as = can_grow ? INT64_MAX : p->size;
        if (best == nullptr || as_large_as < best_size) {
          best = Here(segment, p);
          best_size = as_large_as;
        }
      }
    }
    return best;
  }

  Piece* MakeRoom(bool small, int64_t size) {
    if (!expandable_) {
      segments_.push_back({small, {}});
      const int64_t own = (size + 2 * kMiB - 1) / (2 * kMiB) * (2 * kMiB);
      segments_.back().pieces.push_back({.size = small              ? 2 * kMiB
                                                 : size < 10 * kMiB ? 20 * kMiB
                                                                    : own});
      return Here(segments_.back(), segments_.back().pieces.begin());
    }
    auto segment = std::find_if(segments_.begin(), segments_.end(),
                                [&](auto& s) { return s.small == small; });
    if (segment == segments_.end()) {
      segment = segments_.insert(segments_.end(), {small, {}});
    }
    std::list<Piece>& pieces = segment->pieces;
    if (pieces.empty() || pieces.back().key != kFree) pieces.push_back({});
    while (pieces.back().size < size) {
      pieces.back().size += (small ? 2 : 20) * kMiB;
    }
    return Here(*segment, std::prev(pieces.end()));
  }

  bool expandable_;
  std::list<Segment> segments_;  // by address
};

// A size from a spread like a training step's: bytes to hundreds of MiB.
int64_t RandomSize(std::mt19937_64& random) {
  const int bits = static_cast<int>(random() % 28);
  return 1 + static_cast<int64_t>(random() % (uint64_t{1} << bits));
}

TEST(CachingAllocator, DoesWhatTheNaiveAllocatorDoes) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    const bool expandable = seed % 2 == 1;
    CachingAllocator allocator({.expandable_segments = expandable});
    NaiveAllocator naive(expandable);
    std::mt19937_64 random(seed);
    std::map<int, BlockId> live;
    for (int step = 0; step < 400; ++step) {
      if (live.empty() || random() % 5 < 3) {
        const int64_t bytes = RandomSize(random);
        live[step] = allocator.Allocate(Bytes(bytes));
        naive.Allocate(step, bytes);
      } else {
        const auto victim = std::next(
            live.begin(), static_cast<std::ptrdiff_t>(random() % live.size()));
        allocator.Free(victim->second);
        naive.Free(victim->first);
        live.erase(victim);
      }
      ASSERT_EQ(allocator.allocated().count(), naive.Sum(/*used_only=*/true));
      ASSERT_EQ(allocator.reserved().count(), naive.Sum(/*used_only=*/false));
    }
  }
}

TEST(CachingAllocator, BlocksInUseNeverOverlapAndSumToAllocated) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    CachingAllocator allocator({.expandable_segments = seed % 2 == 1});
    std::mt19937_64 random(seed);
    struct Live {
      BlockId block;
      int64_t asked;
    };
    std::vector<Live> live;
    for (int step = 0; step < 300; ++step) {
      if (live.empty() || random() % 5 < 3) {
        const int64_t bytes = RandomSize(random);
        live.push_back({allocator.Allocate(Bytes(bytes)), bytes});
      } else {
        std::swap(live[random() % live.size()], live.back());
        allocator.Free(live.back().block);
        live.pop_back();
      }
      std::map<int64_t, int64_t> size_at;
      int64_t sum = 0;
      for (const auto& [block, asked] : live) {
        const int64_t size = allocator.size(block).count();
        // Rounding adds less than 512 bytes, an unsplit remainder 1 MiB.
        ASSERT_GE(size, asked);
        ASSERT_LT(size, asked + 512 + (asked > (1 << 20) - 512 ? 1 << 20 : 0));
        sum += size;
        ASSERT_TRUE(size_at.emplace(allocator.address(block), size).second);
      }
      ASSERT_EQ(allocator.allocated().count(), sum);
      ASSERT_GE(allocator.reserved(), allocator.allocated());
      int64_t end = 0;
      for (const auto& [address, size] : size_at) {
        ASSERT_GE(address, end);
        end = address + size;
      }
    }
  }
}

}  // namespace
}  // namespace sim
