#include "sim/serving/router.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "tests/sim/serving/small_serving.h"

namespace sim {
namespace {

// Engines with so many requests waiting.
class Engines {
 public:
  explicit Engines(const std::vector<int>& waiting) {
    for (const int count : waiting) {
      engines_.push_back(std::make_unique<Replica>(
          EnginePolicy{},
          KvPool::Options{
              .blocks = 100, .block_tokens = 4, .prefix_caching = true},
          &TenAndOnePerToken));
      rows_.push_back(engines_.back().get());
      for (int n = 0; n < count; ++n) {
        engines_.back()->Add({.request = {.id = n}}, AtMs(0));
      }
    }
  }
  std::span<const Replica* const> rows() const { return rows_; }
  Replica& operator[](size_t row) { return *engines_[row]; }

  // Serves it, which leaves its prompt in the engine's cache.
  void Cache(size_t row, const Request& request) {
    StepOutcome outcome;
    engines_[row]->Add({.request = request}, AtMs(0));
    while (const auto end = engines_[row]->Begin(0, AtMs(0))) {
      engines_[row]->End(0, *end, &outcome);
    }
  }

 private:
  std::vector<std::unique_ptr<Replica>> engines_;
  std::vector<const Replica*> rows_;
};

Request Prompt(std::vector<uint64_t> prefix) {
  return {.input = static_cast<int64_t>(prefix.size()) * 4 + 1,
          .prefix = std::move(prefix),
          .chunk = 4};
}

TEST(Router, RoundRobinTakesTurns) {
  Engines engines({5, 0, 0});
  Router router(RouterKind::kRoundRobin, 1);
  for (const int expected : {0, 1, 2, 0, 1}) {
    EXPECT_EQ(static_cast<int>(router.Pick({}, engines.rows())), expected);
  }
}

TEST(Router, LeastOutstandingTakesTheFirstOfTheLeastBusy) {
  Engines engines({2, 1, 1, 4});
  Router router(RouterKind::kLeastOutstanding, 1);
  EXPECT_EQ(router.Pick({}, engines.rows()), 1u);
}

TEST(Router, RequestsOnTheirWayAreOutstanding) {
  Engines engines({1, 1});
  engines[0].Expect();
  Router router(RouterKind::kLeastOutstanding, 1);
  EXPECT_EQ(router.Pick({}, engines.rows()), 1u);
  engines[0].AddExpected({.request = {.id = 9}}, AtMs(0));
  EXPECT_EQ(engines[0].outstanding(), 2);
  engines[1].Expect();
  engines[1].Expect();
  EXPECT_EQ(router.Pick({}, engines.rows()), 0u);
}

TEST(Router, PowerOfTwoTakesTheLessBusyOfTwoDifferentOnes) {
  // Of two engines both are drawn, always.
  Engines two({1, 0});
  Router router(RouterKind::kPowerOfTwo, 1);
  for (int n = 0; n < 50; ++n) EXPECT_EQ(router.Pick({}, two.rows()), 1u);
  // Of four, the busiest never wins; the least busy does when it is drawn: in
  // half of the draws.
  Engines four({0, 1, 2, 3});
  std::vector<int> wins(4);
  for (int n = 0; n < 6000; ++n) ++wins[router.Pick({}, four.rows())];
  EXPECT_EQ(wins[3], 0);
  EXPECT_NEAR(wins[0], 3000, 150);
  EXPECT_NEAR(wins[1], 2000, 150);
  EXPECT_NEAR(wins[2], 1000, 150);
}

TEST(Router, PowerOfTwoOfOneTakesIt) {
  Engines one({3});
  Router router(RouterKind::kPowerOfTwo, 1);
  EXPECT_EQ(router.Pick({}, one.rows()), 0u);
}

TEST(Router, PrefixAwareGoesWhereMostOfThePromptIs) {
  Engines engines({0, 0, 0});
  engines.Cache(1, Prompt({1, 2}));
  engines.Cache(2, Prompt({1, 2, 3}));
  Router router(RouterKind::kPrefixAware, 1);
  EXPECT_EQ(router.Pick(Prompt({1, 2, 3, 4}), engines.rows()), 2u);
  EXPECT_EQ(router.Pick(Prompt({1, 2, 9}), engines.rows()), 1u);
  EXPECT_EQ(router.Pick(Prompt({7}), engines.rows()), 0u);  // nowhere
}

TEST(Router, PrefixAwareSparesAnEngineThatIsTooBusy) {
  // Too busy: more than twice the fewest, and more than eight above them.
  const struct {
    int fewest, busy;
    size_t expected;
  } cases[] = {{0, 8, 1}, {0, 9, 0}, {10, 20, 1}, {10, 21, 0}, {3, 11, 1}};
  for (const auto& c : cases) {
    Engines engines({c.fewest, 0});
    engines.Cache(1, Prompt({1, 2}));
    for (int n = 0; n < c.busy; ++n) {
      engines[1].Add({.request = {.id = 100 + n}}, AtMs(0));
    }
    Router router(RouterKind::kPrefixAware, 1);
    EXPECT_EQ(router.Pick(Prompt({1, 2}), engines.rows()), c.expected)
        << c.fewest << " and " << c.busy;
  }
}

}  // namespace
}  // namespace sim
