#include "sim/meetings.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/sim/small_program.h"

namespace sim {
namespace {

TEST(Meeting, StartsAtTheLastArrivalAndLastsTheLongest) {
  Meeting meeting = {.seats = 3};
  EXPECT_FALSE(meeting.Arrive({Picoseconds(5)}, Picoseconds(1)));
  EXPECT_FALSE(meeting.Arrive({Picoseconds(9)}, Picoseconds(4)));
  EXPECT_TRUE(meeting.Arrive({Picoseconds(7)}, Picoseconds(2)));
  EXPECT_EQ(meeting.start, Instant{Picoseconds(9)});
  EXPECT_EQ(meeting.duration, Picoseconds(4));
  meeting.Clear();
  EXPECT_FALSE(meeting.Arrive({Picoseconds(0)}, Picoseconds(0)));
  EXPECT_EQ(meeting.start, Instant());
}

TEST(Meetings, AMemberSitsOnTheLaneOfItsCalls) {
  Script a, b;
  a.Append(Call(kTp, 1, {.lane = 2}));
  b.Append(Call(kTp, 1, {.lane = 3}));
  Meetings meetings(Of({a, b}, {{0, 1}}));
  const MeetingId id = meetings.id(RankId{0}, kTp);
  EXPECT_EQ(meetings.id(RankId{1}, kTp), id);
  ASSERT_EQ(meetings.seats(id).size(), 2);
  EXPECT_EQ(meetings.seats(id)[0].lane, LaneId{2});
  EXPECT_EQ(meetings.seats(id)[1].lane, LaneId{3});
}

TEST(Meetings, ARankWithoutAGroupMeetsItself) {
  Script s;
  s.Append(Call(kDp, 1));
  Meetings meetings(Of({s, s}));
  EXPECT_NE(meetings.id(RankId{0}, kDp), meetings.id(RankId{1}, kDp));
  EXPECT_EQ(meetings.seats(meetings.id(RankId{1}, kDp)).size(), 1);
}

TEST(Meetings, ARepeatedMemberSitsOnce) {
  // Two positions of the one group, as folding leaves them.
  Script s;
  s.Append(Call(kTp, 1));
  Program program = Of({s});
  const RankId members[] = {RankId{0}, RankId{0}};
  program.groups[0] = program.members.Append(members);
  Meetings meetings(program);
  EXPECT_EQ(meetings.seats(meetings.id(RankId{0}, kTp)).size(), 1);
}

}  // namespace
}  // namespace sim
