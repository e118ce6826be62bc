#include "scenarios/workload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/scenarios/drawn_requests.h"

namespace scenarios {
namespace {

using drawn::AllOf;
using drawn::At;
using drawn::Dump;
using drawn::Gaps;
using drawn::Inputs;
using drawn::Maker;
using drawn::Moments;
using drawn::MomentsOf;
using drawn::With;
using drawn::Write;
using sim::Instant;
using sim::Request;
using sim::Seconds;
using sim::Workload;

TEST(Arrivals, OfAConstantRateAreEvenlySpaced) {
  const auto all = AllOf(
      Maker(With("constant { requests_per_second: 8 } requests: 5")).Make());
  ASSERT_EQ(all.size(), 5);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(all[static_cast<size_t>(i)].arrival, Instant{Seconds(i / 8.0)});
    EXPECT_EQ(all[static_cast<size_t>(i)].id, i);
    EXPECT_EQ(all[static_cast<size_t>(i)].output, 7);
  }
}

TEST(Arrivals, OfPoissonHaveTheirRateAndTheVariationOfOne) {
  const auto all = AllOf(
      Maker(With("poisson { requests_per_second: 5 } requests: 20000")).Make());
  EXPECT_EQ(At(all[0]), 0);
  const Moments m = MomentsOf(Gaps(all));
  EXPECT_NEAR(m.mean, 0.2, 0.03 * 0.2);
  EXPECT_NEAR(m.variation, 1, 0.05);
}

TEST(Arrivals, OfGammaVaryByTheInverseOfBurstiness) {
  for (const double burstiness : {0.25, 0.5, 1.0, 4.0, 100.0}) {
    SCOPED_TRACE(burstiness);
    const auto all = AllOf(
        Maker(With(absl::StrCat("gamma { requests_per_second: 5 burstiness: ",
                                burstiness, " } requests: 40000")))
            .Make());
    const Moments m = MomentsOf(Gaps(all));
    EXPECT_NEAR(m.mean, 0.2, 0.03 * 0.2);
    EXPECT_NEAR(m.variation, 1 / burstiness, 0.06 / burstiness);
  }
}

TEST(Arrivals, AllAtOnceAreAtZero) {
  const auto all = AllOf(Maker(With("all_at_once {} requests: 3")).Make());
  ASSERT_EQ(all.size(), 3);
  EXPECT_EQ(At(all[2]), 0);
}

TEST(Arrivals, OfAClosedLoopWaitForTheAnswer) {
  const WorkloadMaker maker = Maker(
      With("closed_loop { concurrency: 2 think_seconds: 0.5 } requests: 5"));
  EXPECT_EQ(maker.concurrency(), 2);
  EXPECT_EQ(maker.requests_per_second(), std::nullopt);
  Workload w = maker.Make();
  const Request a = w.Take(), b = w.Take();
  EXPECT_EQ(At(b), 0);
  EXPECT_EQ(w.next(), std::nullopt);
  w.Done(b, {Seconds(2)});
  w.Done(a, {Seconds(1)});
  EXPECT_EQ(w.next(), Instant{Seconds(1.5)});  // a's user
  const Request c = w.Take(), d = w.Take();
  EXPECT_EQ(At(d), 2.5);
  w.Done(c, {Seconds(3)});
  w.Done(d, {Seconds(3)});  // five have been made
  EXPECT_EQ(At(w.Take()), 3.5);
  EXPECT_EQ(w.next(), std::nullopt);
}

TEST(Arrivals, OfFewerRequestsThanUsersAreThoseRequests) {
  EXPECT_EQ(
      AllOf(Maker(With("closed_loop { concurrency: 9 } requests: 3")).Make())
          .size(),
      3);
}

TEST(Arrivals, EndWithTheDuration) {
  // 0, 0.25, …, 2.
  EXPECT_EQ(AllOf(Maker(With("constant { requests_per_second: 4 } "
                             "duration_seconds: 2"))
                      .Make())
                .size(),
            9);
  // Four users, a request every half second: at 0, 0.5, …, 2.
  EXPECT_EQ(AllOf(Maker(With("closed_loop { concurrency: 4 } "
                             "duration_seconds: 2"))
                      .Make(),
                  0.5)
                .size(),
            20);
}

TEST(Lengths, OfAUniformReachBothEnds) {
  const auto all =
      AllOf(Maker("all_at_once {} requests: 1000 input { uniform { "
                  "least: 819 most: 824 } } output { fixed: 1 }")
                .Make());
  const std::vector<double> inputs = Inputs(all);
  EXPECT_EQ(*std::min_element(inputs.begin(), inputs.end()), 819);
  EXPECT_EQ(*std::max_element(inputs.begin(), inputs.end()), 824);
  EXPECT_NEAR(MomentsOf(inputs).mean, 821.5, 0.2);
}

TEST(Lengths, OfALogNormalHaveItsMeanAndTail) {
  const auto Of = [](const std::string& log_normal) {
    return Inputs(AllOf(Maker(absl::StrCat("all_at_once {} requests: 100000 "
                                           "output { fixed: 1 } input { "
                                           "log_normal { ",
                                           log_normal, " } }"))
                            .Make()));
  };
  std::vector<double> tail = Of("mean: 1024 p99: 4096");
  EXPECT_NEAR(MomentsOf(tail).mean, 1024, 0.02 * 1024);
  std::nth_element(tail.begin(), tail.begin() + 99000, tail.end());
  EXPECT_NEAR(tail[99000], 4096, 0.03 * 4096);
  // A log-normal varies by exp(sigma^2) - 1.
  const Moments wide = MomentsOf(Of("mean: 1024 sigma: 0.8"));
  EXPECT_NEAR(wide.mean, 1024, 0.02 * 1024);
  EXPECT_NEAR(wide.variation, std::exp(0.64) - 1, 0.05);
  const std::vector<double> cut = Of("mean: 1024 sigma: 1 most: 2000");
  EXPECT_LE(*std::max_element(cut.begin(), cut.end()), 2000);
  EXPECT_GE(*std::min_element(cut.begin(), cut.end()), 1);
}

TEST(Lengths, AreDrawnFromAColumn) {
  const std::string folder =
      Write("lengths.csv", "id,tokens\n1,5\n2,50\n3,50\n");
  const auto all =
      AllOf(Maker("all_at_once {} requests: 3000 output { fixed: 1 } input { "
                  "empirical { file: \"lengths.csv\" column: \"tokens\" } }",
                  folder)
                .Make());
  int64_t fifty = 0;
  for (const Request& r : all) {
    ASSERT_TRUE(r.input == 5 || r.input == 50);
    fifty += r.input == 50;
  }
  EXPECT_NEAR(static_cast<double>(fifty), 2000, 80);
}

TEST(MaxTokens, IsAtLeastWhatIsGenerated) {
  const auto all =
      AllOf(Maker("all_at_once {} requests: 50 max_tokens: 10 input "
                  "{ fixed: 1 } output { uniform { most: 20 } }")
                .Make());
  for (const Request& r : all) {
    EXPECT_EQ(r.most_output, std::max<int64_t>(10, r.output));
  }
}

TEST(Workloads, OfOneSeedAreEqualAndOfOthersAreNot) {
  const std::string text = With(
      "gamma { requests_per_second: 5 burstiness: 0.5 } requests: 500 "
      "shared_prefix_tokens: 64 prefix_groups: 3 turns { most: 4 "
      "think_seconds: 2 new_input { fixed: 9 } } ");
  const WorkloadMaker maker = Maker(text);
  const std::string first = Dump(AllOf(maker.Make(), 1));
  EXPECT_EQ(Dump(AllOf(maker.Make(), 1)), first);
  EXPECT_EQ(Dump(AllOf(Maker(text).Make(), 1)), first);
  EXPECT_NE(Dump(AllOf(Maker(text + "seed: 2").Make(), 1)), first);
}

// So that compilers and machines agree.
TEST(Workloads, AreTheSameEverywhere) {
  EXPECT_EQ(Dump(AllOf(Maker("gamma { requests_per_second: 5 burstiness: 2 } "
                             "requests: 3 input { log_normal { mean: 1000 "
                             "sigma: 1 } } output { uniform { most: 100 } }")
                           .Make())),
            "0 0 834 77 -1 0\n"
            "1 319420583567 352 87 -1 0\n"
            "2 444807804703 628 73 -1 0\n");
}

TEST(Workloads, KeepLengthsAndTheOrderOfGapsAtEveryRate) {
  const WorkloadMaker maker =
      Maker(With("poisson { requests_per_second: 5 } requests: 100"));
  EXPECT_EQ(maker.requests_per_second(), 5);
  EXPECT_EQ(maker.requests(), 100);
  const auto slow = AllOf(maker.Make());
  const auto fast = AllOf(maker.Make({.requests_per_second = 10}));
  ASSERT_EQ(fast.size(), 100);
  for (size_t i = 0; i < 100; ++i) {
    EXPECT_NEAR(At(fast[i]), At(slow[i]) / 2, 1e-9);
    EXPECT_EQ(fast[i].input, slow[i].input);
  }
  const WorkloadMaker loop =
      Maker(With("closed_loop { concurrency: 2 } requests: 9"));
  Workload w = loop.Make({.concurrency = 4});
  for (int i = 0; i < 4; ++i) w.Take();
  EXPECT_EQ(w.next(), std::nullopt);
}

TEST(Workloads, OutliveAMoveOfTheirMaker) {
  WorkloadMaker maker = Maker(With("all_at_once {} requests: 3"));
  Workload w = maker.Make();
  const WorkloadMaker moved = std::move(maker);
  EXPECT_EQ(AllOf(std::move(w)).size(), 3);
}

TEST(SharedPrefix, IsOneForEachGroup) {
  const auto all = AllOf(
      Maker("all_at_once {} requests: 400 input { uniform { least: 20 most: "
            "200 } } output { fixed: 500 } shared_prefix_tokens: 100 "
            "prefix_groups: 2 prefix_chunk_tokens: 16")
          .Make());
  std::vector<std::vector<uint64_t>> groups;  // the longest seen of each
  std::vector<int> size;
  for (const Request& r : all) {
    EXPECT_EQ(r.chunk, 16);
    // Six whole chunks in 100 tokens; a shorter prompt shares fewer.
    ASSERT_EQ(r.prefix.size(),
              static_cast<size_t>(std::min<int64_t>(100, r.input) / 16));
    size_t g = 0;
    while (g < groups.size() && groups[g][0] != r.prefix[0]) ++g;
    if (g == groups.size()) {
      groups.push_back(r.prefix);
      size.push_back(0);
    }
    ++size[g];
    if (groups[g].size() < r.prefix.size()) groups[g] = r.prefix;
    EXPECT_TRUE(
        std::equal(r.prefix.begin(), r.prefix.end(), groups[g].begin()));
  }
  ASSERT_EQ(groups.size(), 2);
  EXPECT_NEAR(size[0], 200, 40);
  for (size_t i = 0; i < 6; ++i) EXPECT_NE(groups[0][i], groups[1][i]);
}

TEST(SharedPrefix, IsNothingWithoutTokens) {
  const auto all = AllOf(Maker(With("all_at_once {} requests: 3")).Make());
  EXPECT_TRUE(all[0].prefix.empty());
  EXPECT_EQ(all[0].session, -1);
}

TEST(Turns, GoOnWithTheWholeConversation) {
  const WorkloadMaker maker = Maker(
      "constant { requests_per_second: 1 } requests: 2 input { fixed: 100 } "
      "output { fixed: 30 } prefix_chunk_tokens: 10 shared_prefix_tokens: 25 "
      "turns { least: 3 most: 3 new_input { fixed: 5 } }");
  Workload w = maker.Make();
  const Request first = w.Take();
  EXPECT_EQ(first.session, 0);
  EXPECT_EQ(first.prefix.size(), 13);  // (100 + 30) / 10
  w.Done(first, {Seconds(10)});
  const Request other = w.Take();  // at 1
  EXPECT_EQ(other.session, 1);
  // Of 25 shared tokens two chunks are whole.
  EXPECT_EQ(other.prefix[1], first.prefix[1]);
  EXPECT_NE(other.prefix[2], first.prefix[2]);
  const Request second = w.Take();
  EXPECT_EQ(At(second), 10);
  EXPECT_EQ(second.session, 0);
  EXPECT_EQ(second.input, 135);         // 100 + 30 + 5
  EXPECT_EQ(second.prefix.size(), 16);  // (135 + 30) / 10
  EXPECT_TRUE(std::equal(first.prefix.begin(), first.prefix.end(),
                         second.prefix.begin()));
  w.Done(second, {Seconds(20)});
  const Request third = w.Take();
  EXPECT_EQ(third.input, 170);  // 135 + 30 + 5
  w.Done(third, {Seconds(30)});
  EXPECT_EQ(w.next(), std::nullopt);
}

TEST(Turns, ThinkForAnExponentialTimeAndAreAllOfAConversation) {
  const auto all = AllOf(
      Maker("constant { requests_per_second: 0.001 } requests: 2000 input { "
            "fixed: 100 } output { fixed: 30 } turns { least: 2 most: 8 "
            "think_seconds: 4 new_input { fixed: 5 } }")
          .Make(),
      1);
  // 2 to 8 turns, 5 in the mean.
  EXPECT_NEAR(static_cast<double>(all.size()), 10000, 200);
  std::vector<double> thinks;
  for (size_t i = 1; i < all.size(); ++i) {
    if (all[i].session == all[i - 1].session) {
      thinks.push_back(At(all[i]) - At(all[i - 1]) - 1);
    }
  }
  const Moments m = MomentsOf(thinks);
  EXPECT_NEAR(m.mean, 4, 0.03 * 4);
  EXPECT_NEAR(m.variation, 1, 0.06);
}

TEST(Turns, OfAClosedLoopAreFollowedByTheUsersNextConversation) {
  const auto all = AllOf(
      Maker("closed_loop { concurrency: 1 think_seconds: 5 } requests: 2 input "
            "{ fixed: 8 } output { fixed: 2 } turns { least: 2 most: 2 "
            "new_input { fixed: 1 } }")
          .Make(),
      1);
  ASSERT_EQ(all.size(), 4);
  EXPECT_EQ(At(all[1]), 1);
  EXPECT_EQ(all[1].session, 0);
  EXPECT_EQ(At(all[2]), 7);  // answered at 2
  EXPECT_EQ(all[2].session, 1);
  EXPECT_EQ(all[2].input, 8);
  EXPECT_EQ(At(all[3]), 8);
}

}  // namespace
}  // namespace scenarios
