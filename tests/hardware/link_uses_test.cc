#include "hardware/link_uses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace hardware {
namespace {

using models::Axis;
using ::testing::ElementsAre;

models::Collective On(Axis axis) {
  models::Collective collective;
  collective.axis = axis;
  return collective;
}

std::vector<sim::LinkUse> Uses(Axis axis, const LinkParts& parts) {
  sim::Program program;
  NameLinks(&program);
  const sim::UseId id = UseOf(On(axis), parts, &program);
  const auto uses = program.uses[id];
  return {uses.begin(), uses.end()};
}

sim::LinkUse Part(Link link, uint16_t parts) {
  return {static_cast<sim::LinkId>(link), parts};
}

TEST(UseOf, CollectivesUseBothDirectionsOfEachLink) {
  EXPECT_THAT(
      Uses(Axis::kData, {.nvlink = 700, .nic = 900, .pcie = 600}),
      ElementsAre(Part(Link::kNvlinkOut, 700), Part(Link::kNvlinkIn, 700),
                  Part(Link::kNicOut, 900), Part(Link::kNicIn, 900),
                  Part(Link::kPcieOut, 600), Part(Link::kPcieIn, 600)));
}

TEST(UseOf, PipelineMessagesLeaveOneRankAndReachTheOther) {
  const LinkParts parts{.nic = 900};
  for (const Axis out : {Axis::kForwardOut, Axis::kBackwardOut}) {
    EXPECT_THAT(Uses(out, parts), ElementsAre(Part(Link::kNicOut, 900)));
  }
  for (const Axis in : {Axis::kForwardIn, Axis::kBackwardIn}) {
    EXPECT_THAT(Uses(in, parts), ElementsAre(Part(Link::kNicIn, 900)));
  }
}

TEST(UseOf, CopiesToTheHostLeaveAndCopiesFromItCome) {
  const LinkParts parts{.pcie = 512};
  EXPECT_THAT(Uses(Axis::kToHost, parts),
              ElementsAre(Part(Link::kPcieOut, 512)));
  EXPECT_THAT(Uses(Axis::kToDevice, parts),
              ElementsAre(Part(Link::kPcieIn, 512)));
}

TEST(UseOf, EqualDemandsShareARow) {
  sim::Program program;
  NameLinks(&program);
  const models::Collective data = On(Axis::kData), tensor = On(Axis::kTensor);
  EXPECT_EQ(UseOf(data, {.nvlink = 700}, &program), sim::UseId{0});
  EXPECT_EQ(UseOf(data, {.nvlink = 701}, &program), sim::UseId{1});
  EXPECT_EQ(UseOf(tensor, {.nvlink = 700}, &program), sim::UseId{0});
  EXPECT_EQ(UseOf(tensor, {}, &program), sim::kNoUse);
  EXPECT_EQ(program.uses.size(), 2);
}

}  // namespace
}  // namespace hardware
