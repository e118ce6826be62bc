// Random operations on KvPool: step by step against the naive pool, and in
// larger pools against what must hold of any.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "sim/serving/kv_pool.h"
#include "sim/serving/request.h"
#include "tests/sim/random_program.h"
#include "tests/sim/serving/naive_kv_pool.h"

namespace sim {
namespace {

int64_t Upto(Dice& dice, int64_t most) {  // 0 .. most
  return static_cast<int64_t>(dice.Below(static_cast<uint64_t>(most) + 1));
}

// A walk down a tree of chunks, each with one or two below it; the id of a
// chunk tells the way there, so that equal ids stand behind equal prefixes.
Request RandomRequest(Dice& dice, int64_t chunk, int64_t depth) {
  Request request{.arrival = {}, .chunk = chunk};
  uint64_t id = 1;
  for (int64_t left = Upto(dice, depth); left > 0; --left) {
    id = id * 2 + dice.Below(2);
    request.prefix.push_back(id);
  }
  // What is known may end within the prompt or within the answer.
  request.input = 1 + Upto(dice, depth * chunk);
  request.output = 1 + Upto(dice, depth * chunk / 2);
  return request;
}

KvPool::Options RandomOptions(Dice& dice, int64_t blocks) {
  KvPool::Options options{.blocks = 1 + Upto(dice, blocks - 1),
                          .block_tokens = 1 + Upto(dice, 4),
                          .prefix_caching = !dice.Chance(15)};
  if (options.prefix_caching && dice.Chance(60)) {
    options.host_blocks = Upto(dice, blocks / 2);
    options.disk_blocks = Upto(dice, 2 * blocks);
  }
  return options;
}

// A request while a slot holds it.
struct Live {
  Request request;
  int64_t computed = 0;
};

// A pool under random operations.
struct Play {
  explicit Play(uint64_t seed, int64_t blocks)
      : dice(seed),
        options(RandomOptions(dice, blocks)),
        pool(options),
        chunk(1 + Upto(dice, 6)),
        live(6) {}

  Dice dice;
  KvPool::Options options;
  KvPool pool;
  int64_t chunk;
  std::vector<std::optional<Live>> live;  // by slot
  KvPool::Hit hits;                       // of all that were admitted
};

void Compare(const KvPool& pool, const NaiveKvPool& naive, Play& play) {
  EXPECT_EQ(pool.available(), naive.available());
  EXPECT_EQ(pool.evicted(), naive.evicted());
  EXPECT_EQ(pool.allocated() - pool.released(), pool.used());
  const Request probe = RandomRequest(play.dice, play.chunk, 8);
  EXPECT_EQ(pool.Find(probe), naive.Find(probe, 0));
  for (uint32_t slot = 0; slot < play.live.size(); ++slot) {
    if (!play.live[slot]) continue;
    EXPECT_EQ(pool.capacity(slot), naive.capacity(static_cast<int>(slot)));
  }
}

void Step(Play& play, NaiveKvPool& naive) {
  Dice& dice = play.dice;
  KvPool& pool = play.pool;
  const auto slot = static_cast<uint32_t>(dice.Below(play.live.size()));
  const int row = static_cast<int>(slot);
  std::optional<Live>& live = play.live[slot];
  if (!live) {
    const Request request = RandomRequest(dice, play.chunk, 8);
    const int64_t generated =
        dice.Chance(20) ? Upto(dice, request.output - 1) : 0;
    const int64_t tokens = 1 + Upto(dice, request.input + generated - 1);
    const auto hit = pool.Admit(slot, request, tokens, generated);
    EXPECT_EQ(hit, naive.Admit(row, request, tokens, generated));
    if (!hit) return;
    live = {request, hit->tokens()};
    play.hits.device += hit->device;
    play.hits.host += hit->host;
    play.hits.disk += hit->disk;
  } else if (dice.Chance(40)) {
    const int64_t tokens = 1 + Upto(dice, pool.capacity(slot) + 5);
    EXPECT_EQ(pool.Grow(slot, tokens), naive.Grow(row, tokens));
  } else if (dice.Chance(60)) {
    live->computed += Upto(dice, pool.capacity(slot) - live->computed);
    pool.Computed(slot, live->request, live->computed);
    naive.Computed(row, live->request, live->computed);
  } else {
    pool.Free(slot);
    naive.Free(row);
    live.reset();
  }
}

TEST(KvPoolOracle, AgreesWithTheNaivePoolOnRandomOperations) {
  KvPool::Hit hits;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    Play play(seed, 24);
    NaiveKvPool naive(play.options);
    for (int step = 0; step < 250; ++step) {
      Step(play, naive);
      Compare(play.pool, naive, play);
      if (::testing::Test::HasFailure()) return;
    }
    hits.device += play.hits.device;
    hits.host += play.hits.host;
    hits.disk += play.hits.disk;
  }
  EXPECT_GT(hits.device, 10'000);  // tokens; every tier was of use
  EXPECT_GT(hits.host, 1000);
  EXPECT_GT(hits.disk, 500);
}

// Requests that come, are computed in pieces, generate and go; where there is
// no room, the last to come is thrown out.
void Serve(Play& play, int steps) {
  Dice& dice = play.dice;
  KvPool& pool = play.pool;
  for (int step = 0; step < steps; ++step) {
    for (uint32_t slot = 0; slot < play.live.size(); ++slot) {
      std::optional<Live>& live = play.live[slot];
      if (!live) {
        const Request request = RandomRequest(dice, play.chunk, 12);
        const KvPool::Hit found = pool.Find(request);
        const auto hit = pool.Admit(slot, request, request.input);
        if (!hit) continue;
        EXPECT_EQ(*hit, found);
        EXPECT_LT(hit->tokens(), request.input);
        live = {request, hit->tokens()};
        continue;
      }
      const int64_t all = live->request.input + live->request.output;
      const int64_t next = std::min(all, live->computed + 1 + Upto(dice, 9));
      if (next == live->computed || !pool.Grow(slot, next)) {
        pool.Free(slot);
        live.reset();
        continue;
      }
      live->computed = next;
      pool.Computed(slot, live->request, next);
    }
    ASSERT_LE(pool.used(), play.options.blocks);
    ASSERT_GE(pool.available(), 0);
    ASSERT_EQ(pool.allocated() - pool.released(), pool.used());
  }
}

TEST(KvPoolProperty, EveryBlockHandedOutComesBack) {
  int64_t evicted = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    Play play(seed, 60);
    Serve(play, 300);
    for (uint32_t slot = 0; slot < play.live.size(); ++slot) {
      if (play.live[slot]) play.pool.Free(slot);
    }
    EXPECT_EQ(play.pool.allocated(), play.pool.released());
    EXPECT_EQ(play.pool.available(), play.options.blocks);
    evicted += play.pool.evicted();
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(evicted, 10'000);  // the pools were small enough
}

TEST(KvPoolProperty, EqualOperationsGiveEqualResults) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Play a(seed, 60), b(seed, 60);
    Serve(a, 200);
    Serve(b, 200);
    EXPECT_EQ(a.pool.evicted(), b.pool.evicted());
    EXPECT_EQ(a.pool.allocated(), b.pool.allocated());
  }
}

// Idle blocks, of the hit or not, never stand in the way.
TEST(KvPoolProperty, AdmitsAnythingThatFitsAnEmptyPool) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    Play play(seed, 60);
    for (int i = 0; i < 200; ++i) {
      const Request request = RandomRequest(play.dice, play.chunk, 12);
      const bool fits =
          play.pool.BlocksFor(request.input) <= play.options.blocks;
      ASSERT_EQ(play.pool.Admit(0, request, request.input).has_value(), fits);
      if (!fits) continue;
      play.pool.Computed(0, request, request.input);
      play.pool.Free(0);
    }
  }
}

}  // namespace
}  // namespace sim
