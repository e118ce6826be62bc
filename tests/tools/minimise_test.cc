#include "tools/calibrate/minimise.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tools {
namespace {

// |ln(a / 3)| + |b - 0.25| has its least value, 0, at (3, 0.25), with a kink.
double Kinked(std::span<const double> x) {
  return std::abs(std::log(x[0] / 3)) + std::abs(x[1] - 0.25);
}

TEST(Minimise, FindsAKinkFromFarAway) {
  const Variable variables[] = {{.start = 90, .least = 0.01, .most = 100},
                                {.start = 0.9, .least = 0, .most = 1}};
  const Minimum minimum = Minimise(variables, Kinked, 2000);
  EXPECT_NEAR(minimum.at[0], 3, 0.03);
  EXPECT_NEAR(minimum.at[1], 0.25, 0.01);
  EXPECT_LE(minimum.evaluations, 2000);
}

TEST(Minimise, StaysInItsBounds) {
  const Variable variables[] = {{.start = 90, .least = 5, .most = 100},
                                {.start = 0.5, .least = 0.5, .most = 1}};
  const Minimum minimum = Minimise(variables, Kinked, 2000);
  EXPECT_NEAR(minimum.at[0], 5, 0.05);
  EXPECT_GE(minimum.at[0], 5);
  EXPECT_NEAR(minimum.at[1], 0.5, 0.01);
  EXPECT_GE(minimum.at[1], 0.5);
}

TEST(Minimise, GivesTheSameAnswerTwice) {
  const Variable variables[] = {{.start = 9, .least = 0.01, .most = 100},
                                {.start = 0.9, .least = 0, .most = 1}};
  EXPECT_EQ(Minimise(variables, Kinked, 300).at,
            Minimise(variables, Kinked, 300).at);
}

}  // namespace
}  // namespace tools
