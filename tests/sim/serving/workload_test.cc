#include "sim/serving/workload.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace sim {
namespace {

Instant At(double seconds) { return {Seconds(seconds)}; }

// Requests with these arrivals, whose priority numbers them.
Workload::Open OpenAt(std::vector<double> seconds) {
  return [seconds = std::move(seconds),
          n = size_t{0}]() mutable -> std::optional<Request> {
    if (n == seconds.size()) return std::nullopt;
    const Request request{.arrival = At(seconds[n]),
                          .priority = static_cast<int>(n)};
    ++n;
    return request;
  };
}

// One request a second after each that is done.
std::optional<Request> SecondLater(const Request& done, Instant now) {
  return Request{.arrival = now + Seconds(1), .priority = 100 + done.priority};
}

TEST(Workload, WithoutRequestsHasNoNext) {
  EXPECT_EQ(Workload(nullptr, nullptr).next(), std::nullopt);
  EXPECT_EQ(Workload(OpenAt({}), nullptr).next(), std::nullopt);
}

TEST(Workload, OpenRequestsComeInOrderWithIdsFromZero) {
  Workload w(OpenAt({0, 0.5, 0.5}), nullptr);
  for (int64_t id = 0; id < 3; ++id) {
    ASSERT_EQ(w.next(), At(id == 0 ? 0 : 0.5));
    const Request request = w.Take();
    EXPECT_EQ(request.id, id);
    EXPECT_EQ(request.priority, id);
    w.Done(request, At(9));
  }
  EXPECT_EQ(w.next(), std::nullopt);
}

TEST(Workload, WhatFollowsIsMergedByItsArrival) {
  Workload w(OpenAt({0, 2, 4}), &SecondLater);
  const Request first = w.Take();
  const Request second = w.Take();
  w.Done(second, At(2.5));  // one at 3.5
  w.Done(first, At(2.7));   // one at 3.7
  EXPECT_EQ(w.next(), At(3.5));
  const Request third = w.Take();
  EXPECT_EQ(third.id, 2);
  EXPECT_EQ(third.priority, 101);
  EXPECT_EQ(w.Take().priority, 100);
  EXPECT_EQ(w.next(), At(4));
  EXPECT_EQ(w.Take().priority, 2);
  EXPECT_EQ(w.next(), std::nullopt);
}

TEST(Workload, OfRequestsAtOnceOpenOnesGoFirstThenTheOthersAsTheyWereMade) {
  Workload w(OpenAt({0, 0, 0, 2}), &SecondLater);
  const Request a = w.Take(), b = w.Take(), c = w.Take();
  w.Done(c, At(1));
  w.Done(a, At(1));
  w.Done(b, At(1));
  EXPECT_EQ(w.Take().priority, 3);
  EXPECT_EQ(w.Take().priority, 102);
  EXPECT_EQ(w.Take().priority, 100);
  EXPECT_EQ(w.Take().priority, 101);
}

TEST(Workload, LooksOneOpenRequestAheadAndNoFurther) {
  int made = 0;
  Workload w(
      [&made]() -> std::optional<Request> {
        return Request{.arrival = At(made++)};
      },
      nullptr);
  EXPECT_EQ(made, 1);
  w.Take();
  EXPECT_EQ(made, 2);
}

}  // namespace
}  // namespace sim
