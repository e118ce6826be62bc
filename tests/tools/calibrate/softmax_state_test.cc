#include "tools/calibrate/softmax_state.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "tools/calibrate/reference.h"

namespace tools {
namespace {

TEST(SoftmaxState, FollowsItsHeader) {
  SoftmaxState s;
  EXPECT_EQ(s.Raise(3), 0);
  s.sum += Weight(1, s.most) + 1;
  EXPECT_EQ(s.sum, 1.25f);
  s.sum *= s.Raise(2);
  s.sum += Weight(2, s.most);
  EXPECT_EQ(s.sum, 1.75f);
  // log2 (2^1 + 2^3 + 2^2) = log2 14
  EXPECT_NEAR(s.LogSum(), std::log2(14.0), 1e-6);
}

TEST(SoftmaxState, AMaskedScoreWeighsNothingEvenWhereAllAreMasked) {
  EXPECT_EQ(Weight(-INFINITY, -INFINITY), 0);
  EXPECT_EQ(Weight(-INFINITY, 5), 0);
  SoftmaxState s;
  EXPECT_EQ(s.Raise(-INFINITY), 0);
  EXPECT_EQ(s.most, -INFINITY);
  EXPECT_EQ(s.Raise(1), 0);
  EXPECT_EQ(s.Raise(-INFINITY), 1);
}

// The kernels' way, in pieces of 3 and then two splits combined, against the
// reference's.
TEST(SoftmaxState, PiecesAndSplitsGiveTheSoftmaxOfTheWhole) {
  const Row keys = {0.3, -4, 2.5, 7, -1, 3, 0.2, 5.5, -2, 1};
  const Row values = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  struct Part {
    SoftmaxState state;
    float out = 0;
  };
  const auto sum_up = [&](size_t begin, size_t end) {
    Part part;
    for (size_t at = begin; at < end; at += 3) {
      const size_t stop = std::min(end, at + 3);
      float most = -INFINITY;
      for (size_t i = at; i < stop; ++i) {
        most = std::fmax(most, static_cast<float>(keys[i] / std::log(2.0)));
      }
      const float factor = part.state.Raise(most);
      part.state.sum *= factor;
      part.out *= factor;
      for (size_t i = at; i < stop; ++i) {
        const float w = Weight(static_cast<float>(keys[i] / std::log(2.0)),
                               part.state.most);
        part.state.sum += w;
        part.out += w * static_cast<float>(values[i]);
      }
    }
    part.out /= part.state.sum;
    return part;
  };
  const Part parts[] = {sum_up(0, 4), sum_up(4, 10)};
  SoftmaxState all;
  for (const Part& part : parts) all.Raise(part.state.LogSum());
  float out = 0;
  for (const Part& part : parts) {
    const float weight = Weight(part.state.LogSum(), all.most);
    all.sum += weight;
    out += weight * part.out;
  }
  const Attended expected = AttendRow({1}, keys, values, 1);
  EXPECT_NEAR(out / all.sum, expected.out[0], 1e-5);
  EXPECT_NEAR(all.LogSum() * std::log(2.0), expected.log_sum, 1e-6);
}

}  // namespace
}  // namespace tools
