#include "sim/random.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace sim {
namespace {

TEST(SplitMix64, GivesTheNumbersOfItsReference) {
  // Of splitmix64.c (Vigna 2015) with the state 1234567.
  SplitMix64 random(1234567);
  for (const uint64_t expected :
       {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
        4593380528125082431u, 16408922859458223821u}) {
    EXPECT_EQ(random(), expected);
  }
}

TEST(Hash, CountsOrderAndNumber) {
  EXPECT_EQ(Hash({1, 2}), Hash({1, 2}));
  EXPECT_NE(Hash({1, 2}), Hash({2, 1}));
  EXPECT_NE(Hash({1}), Hash({1, 0}));
  EXPECT_NE(Hash({0}), Hash({0, 0}));
}

}  // namespace
}  // namespace sim
