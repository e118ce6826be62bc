#include "sim/serving/kv_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "sim/serving/request.h"

namespace sim {
namespace {

using Hit = KvPool::Hit;

// A prompt of whole chunks and `own` tokens behind them.
Request Prompt(std::vector<uint64_t> prefix, int64_t chunk, int64_t own = 1) {
  const int64_t known = static_cast<int64_t>(prefix.size()) * chunk;
  return {.arrival = {},
          .input = known + own,
          .prefix = std::move(prefix),
          .chunk = chunk};
}

// A prompt that shares nothing.
Request Own(int64_t tokens) { return Prompt({}, 0, tokens); }

// Admits, computes and frees a prompt, which leaves its known blocks idle.
void Serve(KvPool& pool, const Request& request) {
  constexpr KvPool::Slot kSpare = 99;
  ASSERT_TRUE(pool.Admit(kSpare, request, request.input));
  pool.Computed(kSpare, request, request.input);
  pool.Free(kSpare);
}

KvPool Cached(int64_t blocks, int64_t block_tokens = 16, int64_t host = 0,
              int64_t disk = 0) {
  return KvPool({.blocks = blocks,
                 .block_tokens = block_tokens,
                 .prefix_caching = true,
                 .host_blocks = host,
                 .disk_blocks = disk});
}

TEST(KvPool, CountsBlocksOfARequestAsItGrows) {
  KvPool pool({.blocks = 10, .block_tokens = 16});
  const Request request = Own(100);
  // 100 tokens need 6.25 blocks: 7, which hold 112.
  EXPECT_EQ(pool.Admit(3, request, 100), Hit());
  EXPECT_EQ(pool.capacity(3), 112);
  EXPECT_EQ(pool.available(), 3);
  EXPECT_TRUE(pool.Grow(3, 112));
  EXPECT_EQ(pool.used(), 7);
  EXPECT_TRUE(pool.Grow(3, 113));
  EXPECT_EQ(pool.used(), 8);
  EXPECT_TRUE(pool.Grow(3, 1));  // has more
  EXPECT_EQ(pool.capacity(3), 128);
  pool.Free(3);
  EXPECT_EQ(pool.available(), 10);
  EXPECT_EQ(pool.allocated(), 8);
  EXPECT_EQ(pool.released(), 8);
  EXPECT_EQ(pool.evicted(), 0);
}

TEST(KvPool, RefusesWhatDoesNotFitAndChangesNothing) {
  KvPool pool({.blocks = 4, .block_tokens = 16});
  const Request request = Own(64);
  EXPECT_EQ(pool.Admit(0, request, 65), std::nullopt);  // 5 blocks
  EXPECT_EQ(pool.available(), 4);
  EXPECT_TRUE(pool.Admit(0, request, 48));
  EXPECT_FALSE(pool.Grow(0, 65));
  EXPECT_EQ(pool.capacity(0), 48);
  EXPECT_EQ(pool.Admit(1, request, 17), std::nullopt);  // 2 of 1
  EXPECT_TRUE(pool.Grow(0, 64));
  EXPECT_EQ(pool.available(), 0);
}

TEST(KvPool, WithoutPrefixCachingNothingIsFound) {
  KvPool pool({.blocks = 8, .block_tokens = 16});
  const Request request = Prompt({1, 2}, 16);
  Serve(pool, request);
  EXPECT_EQ(pool.Find(request), Hit());
  EXPECT_EQ(pool.Admit(0, request, 33), Hit());
}

TEST(KvPool, EqualPrefixesShareTheirBlocks) {
  KvPool pool = Cached(10);
  const Request a = Prompt({1, 2, 3}, 16), b = Prompt({1, 2, 4}, 16);
  ASSERT_TRUE(pool.Admit(0, a, 49));
  pool.Computed(0, a, 49);
  // b shares chunks 1 and 2, and has 2 blocks for chunk 4 and its last token.
  EXPECT_EQ(pool.Find(b), Hit{.device = 32});
  EXPECT_EQ(pool.Admit(1, b, 49), Hit{.device = 32});
  EXPECT_EQ(pool.capacity(1), 64);
  EXPECT_EQ(pool.used(), 4 + 2);
  pool.Free(0);  // chunk 3 is idle, 49's block is free, two are still b's
  EXPECT_EQ(pool.used(), 4);
  EXPECT_EQ(pool.Find(a), Hit{.device = 48});
  pool.Free(1);
  EXPECT_EQ(pool.used(), 0);
  EXPECT_EQ(pool.allocated(), 6);
}

TEST(KvPool, OnlyWhatWasComputedIsFound) {
  KvPool pool = Cached(10);
  const Request request = Prompt({1, 2, 3}, 16);
  ASSERT_TRUE(pool.Admit(0, request, 49));
  EXPECT_EQ(pool.Find(request), Hit());
  pool.Computed(0, request, 31);  // one whole block
  EXPECT_EQ(pool.Find(request), Hit{.device = 16});
  pool.Computed(0, request, 32);
  EXPECT_EQ(pool.Find(request), Hit{.device = 32});
  pool.Free(0);
  EXPECT_EQ(pool.Find(request), Hit{.device = 32});
}

TEST(KvPool, TheLastTokenIsNeverOfTheHit) {
  KvPool pool = Cached(10);
  Serve(pool, Prompt({1, 2}, 16));
  // Of 32 tokens at most 31 can hit: one block. Of 33, two.
  EXPECT_EQ(pool.Find(Prompt({1, 2}, 16, 0)), Hit{.device = 16});
  EXPECT_EQ(pool.Find(Prompt({1, 2}, 16, 1)), Hit{.device = 32});
}

TEST(KvPool, APreemptedRequestFindsItsAnswerToo) {
  KvPool pool = Cached(10);
  // 16 tokens of prompt; chunks 2 and 3 are its answer.
  Request request = Prompt({1, 2, 3}, 16);
  request.input = 16;
  ASSERT_TRUE(pool.Admit(0, request, 16));
  ASSERT_TRUE(pool.Grow(0, 40));
  pool.Computed(0, request, 40);
  pool.Free(0);
  EXPECT_EQ(pool.Find(request), Hit());
  EXPECT_EQ(pool.Find(request, 24), Hit{.device = 32});
  EXPECT_EQ(pool.Admit(0, request, 40, 24), Hit{.device = 32});
}

TEST(KvPool, TheHitIsHeldWholeEvenIfLessWasAskedFor) {
  KvPool pool = Cached(10);
  const Request request = Prompt({1, 2, 3}, 16);
  Serve(pool, request);
  EXPECT_EQ(pool.Admit(0, request, 1), Hit{.device = 48});
  EXPECT_EQ(pool.capacity(0), 48);
}

TEST(KvPool, BlocksThatSpanChunksBelongToBoth) {
  KvPool pool = Cached(10, 16);
  // Chunks of 24: block 0 lies in chunk 0, block 1 in chunks 0 and 1, block 2
  // in chunk 1. 48 tokens are known.
  Serve(pool, Prompt({1, 2}, 24));
  EXPECT_EQ(pool.Find(Prompt({1, 2}, 24)), Hit{.device = 48});
  EXPECT_EQ(pool.Find(Prompt({1, 3}, 24)), Hit{.device = 16});
  // Of one chunk block 1 is known by half only.
  EXPECT_EQ(pool.Find(Prompt({1}, 24, 99)), Hit{.device = 16});
}

TEST(KvPool, BlocksOfSeveralChunksAreKnownByAll) {
  KvPool pool = Cached(10, 16);
  Serve(pool, Prompt({1, 2, 3, 4, 5}, 4));
  EXPECT_EQ(pool.Find(Prompt({1, 2, 3, 4}, 4)), Hit{.device = 16});
  EXPECT_EQ(pool.Find(Prompt({1, 2, 3}, 4, 99)), Hit());
  EXPECT_EQ(pool.Find(Prompt({1, 2, 9, 4}, 4)), Hit());
}

TEST(KvPool, AnIdIsNotMistakenForAPlace) {
  KvPool pool = Cached(100, 1);
  // Blocks of one token, chunks of ten: places 0 to 9 of ids 0 to 9.
  for (uint64_t id = 0; id < 10; id += 2) Serve(pool, Prompt({id}, 10));
  for (uint64_t id = 1; id < 10; id += 2) {
    EXPECT_EQ(pool.Find(Prompt({id}, 10)), Hit()) << id;
    EXPECT_EQ(pool.Find(Prompt({id - 1}, 10)), Hit{.device = 10}) << id;
  }
}

TEST(KvPool, TheSameBlockComputedTwiceIsCachedOnce) {
  KvPool pool = Cached(10);
  const Request request = Prompt({1, 2}, 16);
  for (const KvPool::Slot slot : {0u, 1u}) {
    ASSERT_TRUE(pool.Admit(slot, request, 33));  // neither has anything yet
  }
  for (const KvPool::Slot slot : {0u, 1u}) pool.Computed(slot, request, 33);
  EXPECT_EQ(pool.used(), 6);
  pool.Free(1);  // its copies are free; the first one's stay, and are held
  EXPECT_EQ(pool.used(), 3);
  EXPECT_EQ(pool.Admit(2, request, 33), Hit{.device = 32});
  EXPECT_EQ(pool.used(), 4);
}

TEST(KvPool, IdleBlocksOfTheHitAreNoRoomForTheRest) {
  KvPool pool = Cached(6);
  const Request a = Prompt({1, 2, 3}, 16, 20);
  Serve(pool, Prompt({1, 2, 3}, 16));
  ASSERT_TRUE(pool.Admit(1, Own(32), 32));
  // 6 blocks - 2 held = 4 available, of which 3 idle. a needs 3 + 2: the three
  // are its hit, so that one is left for two.
  EXPECT_EQ(pool.available(), 4);
  EXPECT_EQ(pool.Admit(0, a, 68), std::nullopt);
  EXPECT_EQ(pool.available(), 4);
  EXPECT_EQ(pool.Admit(0, a, 64), Hit{.device = 48});
  EXPECT_EQ(pool.available(), 0);
  EXPECT_EQ(pool.evicted(), 0);
}

TEST(KvPool, FreeBlocksGoFirstThenTheLongestIdle) {
  KvPool pool = Cached(6, 16);
  const Request a = Prompt({1, 2}, 16), b = Prompt({3, 4}, 16);
  Serve(pool, a);
  Serve(pool, b);
  EXPECT_EQ(pool.available(), 6);  // 2 free, 4 idle
  ASSERT_TRUE(pool.Admit(0, Own(16), 32));
  EXPECT_EQ(pool.evicted(), 0);
  // a was freed before b, and its last block first.
  ASSERT_TRUE(pool.Grow(0, 48));
  EXPECT_EQ(pool.evicted(), 1);
  EXPECT_EQ(pool.Find(a), Hit{.device = 16});
  ASSERT_TRUE(pool.Grow(0, 80));
  EXPECT_EQ(pool.Find(a), Hit());
  EXPECT_EQ(pool.Find(b), Hit{.device = 16});
  EXPECT_EQ(pool.evicted(), 3);
}

TEST(KvPool, UseMakesABlockTheNewestButLookingDoesNot) {
  KvPool pool = Cached(6, 16);
  const Request a = Prompt({1, 2}, 16), b = Prompt({3, 4}, 16);
  Serve(pool, a);
  Serve(pool, b);
  Serve(pool, a);
  EXPECT_EQ(pool.Find(b), Hit{.device = 32});
  ASSERT_TRUE(pool.Admit(0, Own(64), 64));  // 2 free, and 2 idle of b
  EXPECT_EQ(pool.Find(a), Hit{.device = 32});
  EXPECT_EQ(pool.Find(b), Hit());
}

TEST(KvPool, HeldBlocksAreNeverEvicted) {
  KvPool pool = Cached(4, 16);
  const Request a = Prompt({1, 2}, 16);
  ASSERT_TRUE(pool.Admit(0, a, 33));
  pool.Computed(0, a, 33);
  EXPECT_EQ(pool.Admit(1, Own(32), 32), std::nullopt);
  EXPECT_TRUE(pool.Admit(1, Own(16), 16));
  EXPECT_EQ(pool.Find(a), Hit{.device = 32});
}

TEST(KvPool, EvictedBlocksGoToTheHostThenToDiskThenAway) {
  KvPool pool = Cached(4, 16, /*host=*/2, /*disk=*/1);
  const Request a = Prompt({1, 2, 3, 4}, 16, 1);
  ASSERT_TRUE(pool.Admit(0, a, 64));
  pool.Computed(0, a, 64);
  pool.Free(0);
  ASSERT_TRUE(pool.Admit(1, Own(1), 1));  // evicts 4
  EXPECT_EQ(pool.Find(a), (Hit{.device = 48, .host = 16}));
  ASSERT_TRUE(pool.Grow(1, 48));  // 3, then 2, before which 4 goes on to disk
  EXPECT_EQ(pool.Find(a), (Hit{.device = 16, .host = 32, .disk = 16}));
  ASSERT_TRUE(pool.Grow(1, 64));  // 1; 3 goes on to disk, 4 is gone
  EXPECT_EQ(pool.Find(a), (Hit{.host = 32, .disk = 16}));
  EXPECT_EQ(pool.evicted(), 4);
  pool.Free(1);
  // The three come back into 3 of 4 blocks.
  EXPECT_EQ(pool.Admit(2, a, 64), (Hit{.host = 32, .disk = 16}));
  EXPECT_EQ(pool.Find(a), Hit{.device = 48});
  EXPECT_EQ(pool.available(), 0);
}

TEST(KvPool, WithoutHostMemoryBlocksGoStraightToDisk) {
  KvPool pool = Cached(2, 16, /*host=*/0, /*disk=*/5);
  const Request a = Prompt({1}, 16);
  Serve(pool, a);
  ASSERT_TRUE(pool.Admit(0, Own(32), 32));
  EXPECT_EQ(pool.Find(a), Hit{.disk = 16});
}

TEST(KvPool, BringingBackNeverLosesTheHitItself) {
  KvPool pool = Cached(3, 16, /*host=*/2);
  const Request a = Prompt({1, 2}, 16), b = Prompt({3, 4}, 16);
  Serve(pool, a);
  Serve(pool, b);  // evicts both of a, which fill the host
  EXPECT_EQ(pool.Find(a), Hit{.host = 32});
  // a's two and one more push both of b down, into the places that a leaves.
  EXPECT_EQ(pool.Admit(0, a, 33), Hit{.host = 32});
  EXPECT_EQ(pool.Find(a), Hit{.device = 32});
  EXPECT_EQ(pool.Find(b), Hit{.host = 32});
}

TEST(KvPool, BringingBackNeedsRoomOnTheDevice) {
  KvPool pool = Cached(3, 16, /*host=*/2);
  const Request a = Prompt({1, 2}, 16);
  Serve(pool, a);
  ASSERT_TRUE(pool.Admit(0, Own(48), 48));
  pool.Free(0);
  ASSERT_TRUE(pool.Admit(0, Own(16), 16));
  EXPECT_EQ(pool.Admit(1, a, 33), std::nullopt);  // 2 + 1 of 2
  EXPECT_EQ(pool.Find(a), Hit{.host = 32});
  EXPECT_EQ(pool.Admit(1, a, 32), Hit{.host = 32});
}

TEST(KvPool, ABlockComputedAfreshReplacesItsCopyFurtherDown) {
  KvPool pool = Cached(3, 16, /*host=*/1);
  const Request a = Prompt({1}, 16, 0), b = Prompt({2}, 16);
  ASSERT_TRUE(pool.Admit(0, a, 16));
  ASSERT_TRUE(pool.Admit(1, a, 16));
  pool.Computed(0, a, 16);
  pool.Free(0);
  ASSERT_TRUE(pool.Admit(2, Own(32), 32));  // 1 goes to the host
  EXPECT_EQ(pool.Find(Prompt({1}, 16)), Hit{.host = 16});
  pool.Computed(1, a, 16);
  EXPECT_EQ(pool.Find(Prompt({1}, 16)), Hit{.device = 16});
  pool.Free(2);
  Serve(pool, b);
  ASSERT_TRUE(pool.Admit(2, Own(32), 32));  // the host has room for 2
  EXPECT_EQ(pool.Find(b), Hit{.host = 16});
}

}  // namespace
}  // namespace sim
