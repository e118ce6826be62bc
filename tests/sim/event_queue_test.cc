#include "sim/event_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tests/sim/random_program.h"

namespace sim {
namespace {

Event At(int64_t ps, uint32_t owner = 0) {
  return {Instant{Picoseconds(ps)}, 0, owner};
}

TEST(EventQueue, PopsTheEarliestFirst) {
  EventQueue queue;
  for (const int64_t ps : {3, 0, 7, 8, 1}) queue.Push(At(ps));
  for (const int64_t ps : {0, 1, 3, 7, 8}) EXPECT_EQ(queue.Pop(), At(ps));
  EXPECT_TRUE(queue.empty());
}

TEST(EventQueue, PopsEventsOfOneInstantInTheOrderTheyWerePushed) {
  EventQueue queue;
  queue.Push(At(6, 2));
  queue.Push(At(5, 9));
  queue.Push(At(6, 1));
  EXPECT_EQ(queue.Pop(), At(5, 9));
  queue.Push(At(6, 0));  // from nearby, into a lower bucket
  queue.Push(At(5, 3));  // now
  for (const Event& event : {At(5, 3), At(6, 2), At(6, 1), At(6, 0)}) {
    EXPECT_EQ(queue.Pop(), event);
  }
}

TEST(EventQueue, KnowsWhenItIs) {
  EventQueue queue;
  EXPECT_EQ(queue.now(), Instant());
  queue.Push(At(1'000'000));
  EXPECT_EQ(queue.now(), Instant());
  queue.Pop();
  EXPECT_EQ(queue.now(), At(1'000'000).at);
}

TEST(EventQueue, IsEmptyAfterItsOnlyEventIsPoppedAndUsableAgain) {
  EventQueue queue;
  queue.Push(At(1));
  queue.Pop();
  EXPECT_TRUE(queue.empty());
  queue.Push(At(2));
  EXPECT_FALSE(queue.empty());
  EXPECT_EQ(queue.Pop(), At(2));
}

// The model: the first of the least elements of a list.
TEST(EventQueue, PopsWhatASortedListWould) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Dice dice(seed);
    EventQueue queue;
    std::vector<Event> model;
    for (int turn = 0; turn < 2000; ++turn) {
      if (!model.empty() && dice.Chance(48)) {
        const auto least = std::min_element(
            model.begin(), model.end(),
            [](const Event& a, const Event& b) { return a.at < b.at; });
        ASSERT_EQ(queue.Pop(), *least) << "seed " << seed << " turn " << turn;
        model.erase(least);
      } else {
        const uint64_t ahead = dice.Below(uint64_t{1} << dice.Below(40));
        model.push_back(
            At(queue.now().since_start.count() +
                   static_cast<int64_t>(dice.Chance(30) ? 0 : ahead),
               static_cast<uint32_t>(turn)));
        queue.Push(model.back());
      }
      ASSERT_EQ(queue.empty(), model.empty());
    }
  }
}

}  // namespace
}  // namespace sim
