#include "tools/calibrate/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <functional>

namespace tools {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

auto Near(double x) { return DoubleNear(x, 1e-12); }

// d f / d x[i], by central differences.
double Slope(const std::function<double(const Row&)>& f, Row x, size_t i) {
  constexpr double kStep = 1e-5;
  x[i] += kStep;
  const double above = f(x);
  x[i] -= 2 * kStep;
  return (above - f(x)) / (2 * kStep);
}

TEST(Reference, AttentionWeighsValuesByTheSoftmaxOfTheScores) {
  // Scores 1 and 0: weights e / (e + 1) and 1 / (e + 1).
  const Attended a = AttendRow({1, 0}, {1, 0, 0, 1}, {3, 4, 5, 6}, 1);
  const double w = std::exp(1.0) / (std::exp(1.0) + 1);
  EXPECT_THAT(
      a.out, ElementsAre(Near(3 * w + 5 * (1 - w)), Near(4 * w + 6 * (1 - w))));
  EXPECT_NEAR(a.log_sum, std::log(std::exp(1.0) + 1), 1e-12);
}

TEST(Reference, AttentionGradientsAreTheSlopes) {
  const Row q = {0.3, -0.7}, k = {0.5, 1, -1, 0.2, 0.1, 0.9},
            v = {1, 2, -1, 0.5, 0.25, -2}, dy = {0.4, -1.1};
  const double scale = 0.6;
  const auto loss = [&](const Row& query, const Row& keys, const Row& values) {
    return Dot(AttendRow(query, keys, values, scale).out, dy);
  };
  const Row dq = AttendRowGradient(q, k, v, scale, dy);
  const Attended out = AttendRow(q, k, v, scale);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_NEAR(dq[i], Slope([&](const Row& x) { return loss(x, k, v); }, q, i),
                1e-8);
    KeyGradient second;
    AddKeyGradient(q, {k[2], k[3]}, {v[2], v[3]}, scale, out.out, out.log_sum,
                   dy, second);
    EXPECT_NEAR(second.key[i],
                Slope([&](const Row& x) { return loss(q, x, v); }, k, 2 + i),
                1e-8);
    EXPECT_NEAR(second.value[i],
                Slope([&](const Row& x) { return loss(q, k, x); }, v, 2 + i),
                1e-8);
  }
}

TEST(Reference, RmsNormDividesByTheRootMeanSquare) {
  // Mean square (9 + 16) / 2 = 12.5.
  const double rms = std::sqrt(12.5 + kNormEpsilon);
  EXPECT_THAT(RmsNorm({3, 4}, {1, 10}),
              ElementsAre(Near(3 / rms), Near(40 / rms)));
}

TEST(Reference, LayerNormTakesTheMeanOffFirst) {
  // 1 and 5 are -2 and 2 about their mean; their deviation is 2.
  const double deviation = std::sqrt(4 + kNormEpsilon);
  EXPECT_THAT(LayerNorm({1, 5}, {1, 10}, {0, 7}),
              ElementsAre(Near(-2 / deviation), Near(20 / deviation + 7)));
}

TEST(Reference, GradientsOfNormsAndLossesAreTheSlopes) {
  const Row x = {0.3, -1.2, 2.5}, weight = {1.5, -0.4, 0.8},
            bias = {0.1, 0.2, 0.3}, dy = {1.1, 0.4, -0.6};
  const Row rms = RmsNormGradient(x, weight, dy);
  const Row layer = LayerNormGradient(x, weight, dy);
  const Row loss = CrossEntropyGradient(x, 2);
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_NEAR(
        rms[i],
        Slope([&](const Row& at) { return Dot(RmsNorm(at, weight), dy); }, x,
              i),
        1e-8);
    EXPECT_NEAR(
        layer[i],
        Slope(
            [&](const Row& at) { return Dot(LayerNorm(at, weight, bias), dy); },
            x, i),
        1e-8);
    EXPECT_NEAR(loss[i],
                Slope([&](const Row& at) { return CrossEntropy(at, 2); }, x, i),
                1e-8);
  }
}

TEST(Reference, SoftmaxAndCrossEntropyOfEqualScoresAreUniform) {
  EXPECT_THAT(Softmax({7, 7, 7, 7}),
              ElementsAre(Near(0.25), Near(0.25), Near(0.25), Near(0.25)));
  EXPECT_NEAR(CrossEntropy({7, 7, 7, 7}, 1), std::log(4.0), 1e-12);
}

TEST(Reference, ActivationsAtOneAreTheirKnownValues) {
  EXPECT_NEAR(Silu(1), 0.731058578630005, 1e-12);
  EXPECT_NEAR(Gelu(1), 0.841344746068543, 1e-12);
}

TEST(Reference, RotationTurnsPairsHalfAHeadApart) {
  // Head of 4 at position 2: pair (0, 2) by 2 rad, pair (1, 3) by 2 / 100.
  EXPECT_THAT(Rotate({1, 0, 0, 1}, 4, 2),
              ElementsAre(Near(std::cos(2.0)), Near(-std::sin(0.02)),
                          Near(std::sin(2.0)), Near(std::cos(0.02))));
}

TEST(Reference, AdamsFirstStepIsTheRateAgainstTheSignOfTheGradient) {
  // Both moments, corrected, are the gradient and its square.
  const AdamState next = AdamStep({1, 0, 0}, 0.5, {}, 1);
  EXPECT_NEAR(next.first, 0.05, 1e-12);
  EXPECT_NEAR(next.second, 0.0125, 1e-12);
  // 1 (1 - 0.001 x 0.1) - 0.001 x 0.5 / (0.5 + 1e-8)
  EXPECT_NEAR(next.weight, 0.9999 - 0.001 * 0.5 / (0.5 + 1e-8), 1e-12);
}

}  // namespace
}  // namespace tools
