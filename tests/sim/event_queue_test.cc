#include "sim/event_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tests/sim/random_program.h"

namespace sim {
namespace {

Event At(int64_t ps, uint32_t owner = 0, uint32_t version = 0) {
  return {Instant{Picoseconds(ps)}, version, owner};
}

TEST(EventQueue, OrdersByInstantThenOwnerThenVersion) {
  const Event in_order[] = {At(1, 9, 9), At(2, 0, 5), At(2, 1, 0), At(2, 1, 1),
                            At(3, 0, 0)};
  EventQueue queue;
  for (const size_t row : {3, 0, 4, 2, 1}) queue.Push(in_order[row]);
  for (const Event& event : in_order) EXPECT_EQ(queue.Pop(), event);
  EXPECT_TRUE(queue.empty());
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

// The model: the least element of a plain vector.
TEST(EventQueue, PopsWhatASortedListWould) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Dice dice(seed);
    EventQueue queue;
    std::vector<Event> model;
    for (int turn = 0; turn < 2000; ++turn) {
      if (!model.empty() && dice.Chance(48)) {
        const auto least = std::min_element(model.begin(), model.end());
        ASSERT_EQ(queue.Pop(), *least) << "seed " << seed << " turn " << turn;
        model.erase(least);
      } else {
        model.push_back(At(static_cast<int64_t>(dice.Below(50)),
                           static_cast<uint32_t>(dice.Below(8)),
                           static_cast<uint32_t>(turn)));
        queue.Push(model.back());
      }
      ASSERT_EQ(queue.empty(), model.empty());
    }
  }
}

}  // namespace
}  // namespace sim
