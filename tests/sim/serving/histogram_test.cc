#include "sim/serving/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/sim/random_program.h"

namespace sim {
namespace {

TEST(Histogram, IsEmptyAtFirst) {
  const Histogram h;
  EXPECT_EQ(h.count(), 0);
  EXPECT_EQ(h.mean_seconds(), 0);
  EXPECT_EQ(h.largest(), Duration(0));
}

TEST(Histogram, MeanIsExact) {
  Histogram h;
  h.Add(Milliseconds(10), 3);
  h.Add(Milliseconds(50));
  // (3 * 10 + 50) / 4 = 20 ms.
  EXPECT_DOUBLE_EQ(h.mean_seconds(), 0.020);
  EXPECT_EQ(h.count(), 4);
  EXPECT_EQ(h.largest(), Milliseconds(50));
}

TEST(Histogram, QuantilesAreWithinHalfAPercentOfTheExactOnes) {
  Dice dice(1);
  Histogram h;
  std::vector<int64_t> values;
  for (int n = 0; n < 10'000; ++n) {
    // From 2 us to 200 s, evenly in their logarithm.
    const double exponent = 8 * static_cast<double>(dice.Below(1 << 20)) /
                            static_cast<double>(1 << 20);
    values.push_back(static_cast<int64_t>(2e6 * std::pow(10.0, exponent)));
    h.Add(Picoseconds(values.back()));
  }
  std::sort(values.begin(), values.end());
  for (const double share : {0.0001, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0}) {
    const auto row = static_cast<size_t>(std::llround(share * 10'000)) - 1;
    const auto exact = static_cast<double>(values[row]);
    EXPECT_NEAR(static_cast<double>(h.Quantile(share).count()), exact,
                0.00501 * exact)
        << share;
  }
}

TEST(Histogram, AShareOfAWholeNumberOfValuesEndsAtThatValue) {
  Histogram h;
  h.Add(Milliseconds(10), 55);
  h.Add(Milliseconds(99), 45);
  // 0.55 * 100 is 55.00000000000001 in binary, and still 55 values.
  EXPECT_LT(h.Quantile(0.55), Milliseconds(11));
  EXPECT_GT(h.Quantile(0.5501), Milliseconds(98));
}

TEST(Histogram, ZerosAreZeros) {
  Histogram h;
  h.Add(Duration(0), 9);
  EXPECT_EQ(h.Quantile(0.5), Duration(0));
  h.Add(Milliseconds(7));
  EXPECT_LT(h.Quantile(0.5), Picoseconds(1'000'000));
  EXPECT_LE(h.Quantile(1), Milliseconds(7));
}

TEST(Histogram, TwoAddedAreAsOneOfAllValues) {
  Histogram a, b, all;
  for (int n = 1; n <= 100; ++n) {
    (n % 3 == 0 ? a : b).Add(Milliseconds(1) * n, n);
    all.Add(Milliseconds(1) * n, n);
  }
  a.Add(b);
  EXPECT_EQ(a.count(), all.count());
  EXPECT_EQ(a.largest(), all.largest());
  EXPECT_NEAR(a.mean_seconds(), all.mean_seconds(), 1e-12);
  for (const double share : {0.0, 0.1, 0.5, 0.9, 0.99, 1.0}) {
    EXPECT_EQ(a.Quantile(share), all.Quantile(share)) << share;
  }
}

}  // namespace
}  // namespace sim
