#include "sim/links.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "tests/sim/random_program.h"

namespace sim {
namespace {

using ::testing::ElementsAre;
using Crossings = std::vector<Crossing>;

std::vector<Pace> Paces(const Links& links, uint32_t flows) {
  std::vector<Pace> paces;
  for (uint32_t flow = 0; flow < flows; ++flow) {
    paces.push_back(links.pace(flow));
  }
  return paces;
}

void Share(Links& links) {
  links.Share([](uint32_t, Pace) {});
}

// The paces of flows that run together, on up to eight links.
std::vector<Pace> PacesOf(const std::vector<Crossings>& flows) {
  Links links(8, flows.size());
  for (uint32_t flow = 0; flow < flows.size(); ++flow) {
    links.Add(flow, flows[flow]);
  }
  Share(links);
  return Paces(links, static_cast<uint32_t>(flows.size()));
}

TEST(Links, EqualFlowsGetEqualShares) {
  EXPECT_THAT(PacesOf({{{0, 1024}}}), ElementsAre(2520));
  EXPECT_THAT(PacesOf({{{0, 1024}}, {{0, 1024}}}), ElementsAre(1260, 1260));
  EXPECT_THAT(PacesOf({{{0, 1024}}, {{0, 1024}}, {{0, 1024}}}),
              ElementsAre(840, 840, 840));
}

TEST(Links, WhoWantsLessThanAnEqualShareIsNotSlowed) {
  // 256 of 1024 want less than a third. The others share 768: 384 each, which
  // is 3/8 of the 1024 and 3/4 of the 512 that they want.
  EXPECT_THAT(PacesOf({{{0, 1024}}, {{0, 512}}, {{0, 256}}}),
              ElementsAre(945, 1890, 2520));
}

TEST(Links, ALinkWithRoomSlowsNobody) {
  EXPECT_THAT(PacesOf({{{0, 512}}, {{0, 512}}, {}}),
              ElementsAre(2520, 2520, 2520));
}

TEST(Links, WhatOneIsKeptFromElsewhereOthersGet) {
  // Link 0 leaves the first two half each. On link 1 the second needs no more
  // than that, a quarter, so that the third gets three quarters.
  EXPECT_THAT(PacesOf({{{0, 1024}}, {{0, 1024}, {1, 512}}, {{1, 1024}}}),
              ElementsAre(1260, 1260, 1890));
}

TEST(Links, EqualSharesAreOfWhatAFlowUsesMost) {
  // On link 1 the first rises half as fast as it does on link 0: full at the
  // level x with x / 2 + x = 1024. 683 / 1024, rounded down: 2/3.
  EXPECT_THAT(PacesOf({{{0, 1024}, {1, 512}}, {{1, 1024}}}),
              ElementsAre(1680, 1680));
}

TEST(Links, AFlowMayCrossALinkTwice) {
  EXPECT_THAT(PacesOf({{{0, 1024}, {0, 1024}}}), ElementsAre(1260));
  EXPECT_THAT(PacesOf({{{0, 512}, {0, 512}}, {{0, 1024}}}),
              ElementsAre(1680, 840));
}

TEST(Links, TellsWhichPacesChange) {
  Links links(2, 3);
  std::vector<uint32_t> changed;
  const auto share = [&] {
    changed.clear();
    links.Share([&](uint32_t flow, Pace) { changed.push_back(flow); });
    return changed;
  };
  links.Add(0, Crossings{{0, 1024}});
  EXPECT_THAT(share(), ElementsAre(0));
  links.Add(1, Crossings{{1, 1024}});
  EXPECT_THAT(share(), ElementsAre(1));
  links.Add(2, Crossings{{1, 1024}});
  EXPECT_TRUE(links.stale());
  EXPECT_THAT(share(), ElementsAre(2, 1));
  EXPECT_FALSE(links.stale());
  links.Remove(0);  // slowed nobody
  EXPECT_FALSE(links.stale());
  links.Remove(1);
  EXPECT_THAT(share(), ElementsAre(2));
  EXPECT_EQ(links.pace(2), kFullPace);
}

// ----------------------------------------------------------------- properties

std::vector<Crossings> AnyFlows(Dice& dice) {
  std::vector<Crossings> flows(1 + dice.Below(8));
  for (Crossings& flow : flows) {
    for (uint64_t n = dice.Below(5); n > 0; --n) {
      const uint64_t parts = dice.Chance(25) ? 1024 : 1 + dice.Below(1024);
      flow.push_back(
          {static_cast<uint32_t>(dice.Below(8)), static_cast<int32_t>(parts)});
    }
  }
  return flows;
}

int32_t MostOf(const Crossings& flow) {
  int32_t most = 0;
  for (const Crossing& crossing : flow) most = std::max(most, crossing.parts);
  return most;
}

// Parts of a link in use, at real paces.
double Used(const std::vector<Crossings>& flows,
            const std::vector<double>& paces, uint32_t link) {
  double used = 0;
  for (size_t flow = 0; flow < flows.size(); ++flow) {
    for (const Crossing& crossing : flows[flow]) {
      if (crossing.link == link) used += crossing.parts * paces[flow];
    }
  }
  return used;
}

// The law in real numbers: levels rise by small steps, and a flow stops for
// good when a link of its would be overfull.
std::vector<double> PacesBySteps(const std::vector<Crossings>& flows) {
  constexpr double kStep = 1.0 / 16;  // parts
  std::vector<double> paces(flows.size());
  std::vector<bool> stopped(flows.size());
  for (double level = kStep; level <= 1024; level += kStep) {
    std::vector<double> next = paces;
    for (size_t flow = 0; flow < flows.size(); ++flow) {
      if (stopped[flow]) continue;
      const int32_t most = MostOf(flows[flow]);
      next[flow] = most == 0 ? 1 : std::min(1.0, level / most);
    }
    for (size_t flow = 0; flow < flows.size(); ++flow) {
      for (const Crossing& crossing : flows[flow]) {
        if (Used(flows, next, crossing.link) > 1024) stopped[flow] = true;
      }
      if (!stopped[flow]) paces[flow] = next[flow];
    }
  }
  return paces;
}

TEST(Links, AgreeWithLevelsThatRiseBySteps) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Dice dice(seed);
    const std::vector<Crossings> flows = AnyFlows(dice);
    const std::vector<Pace> paces = PacesOf(flows);
    const std::vector<double> expected = PacesBySteps(flows);
    for (size_t flow = 0; flow < flows.size(); ++flow) {
      EXPECT_NEAR(paces[flow] / 2520.0, expected[flow], 0.01)
          << "seed " << seed << ", flow " << flow;
    }
  }
}

TEST(Links, NoLinkCarriesMoreThanItCanAndEverySlowedFlowHasAFullOne) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Dice dice(seed);
    const std::vector<Crossings> flows = AnyFlows(dice);
    const std::vector<Pace> paces = PacesOf(flows);
    std::vector<int64_t> used(8);
    for (size_t flow = 0; flow < flows.size(); ++flow) {
      for (const Crossing& c : flows[flow]) {
        used[c.link] += int64_t{c.parts} * paces[flow];
      }
    }
    for (const int64_t parts : used) EXPECT_LE(parts, 1024 * 2520);
    for (size_t flow = 0; flow < flows.size(); ++flow) {
      if (paces[flow] == kFullPace) continue;
      int64_t fullest = 0;
      for (const Crossing& c : flows[flow]) {
        fullest = std::max(fullest, used[c.link]);
      }
      // Rounding leaves a pace of each of up to 32 crossings unused.
      EXPECT_GE(fullest, 1024 * 2520 - 32 * 1024 * 2) << "seed " << seed;
    }
  }
}

TEST(Links, PacesDoNotDependOnTheOrderOrOnWhatWasThereBefore) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Dice dice(seed);
    const std::vector<Crossings> flows = AnyFlows(dice);
    const auto count = static_cast<uint32_t>(flows.size());
    Links links(8, flows.size());
    std::vector<bool> runs(count);
    for (int change = 0; change < 40; ++change) {
      const auto flow = static_cast<uint32_t>(dice.Below(count));
      runs[flow] ? links.Remove(flow) : links.Add(flow, flows[flow]);
      runs[flow] = !runs[flow];
      if (dice.Chance(50)) Share(links);
    }
    for (uint32_t flow = count; flow-- > 0;) {
      if (!runs[flow]) links.Add(flow, flows[flow]);
    }
    Share(links);
    EXPECT_EQ(Paces(links, count), PacesOf(flows)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace sim
