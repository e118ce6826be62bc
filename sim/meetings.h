// Where ranks meet to communicate: one meeting for each group, held again for
// each of the group's calls.
//
//   Meeting& m = meetings.of(rank, axis);
//   if (m.Arrive(now, duration)) // the last member has come: it starts at
//                                // m.start and runs for m.duration
//
// A member holds one seat for every axis on which it reaches the group: one,
// except that in a folded program a rank may meet a rank it stands for itself.
// A communication without a group meets in a meeting of one seat.
#ifndef SIM_MEETINGS_H_
#define SIM_MEETINGS_H_

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "sim/column.h"
#include "sim/program.h"
#include "sim/units.h"

namespace sim {

enum class MeetingId : uint32_t {};

struct Meeting {
  Instant start{};           // last arrival so far
  Duration duration{};       // the longest of those that arrived
  uint32_t arrived = 0;      // seats taken
  uint32_t seats = 0;        // seats there are
  bool takes = false;        // someone takes a part of a device
  bool in_progress = false;  // has started and not ended

  // True if this was the last to come.
  bool Arrive(Instant at, Duration alone, bool some_takes) {
    start = std::max(start, at);
    duration = std::max(duration, alone);
    takes |= some_takes;
    return ++arrived == seats;
  }
  void Clear() { *this = {.seats = seats}; }
};

struct Seat {
  RankId rank;
  AxisId axis;
};

class Meetings {
 public:
  // REQUIRES: Check(program) is ok.
  explicit Meetings(const Program& program);

  MeetingId id(RankId rank, AxisId axis) const {
    return of_[Row(rank) * axes_ + Row(axis)];
  }
  Meeting& operator[](MeetingId id) { return meetings_[id]; }
  // By rank and axis.
  std::span<const Seat> seats(MeetingId id) const { return seats_[id]; }

 private:
  size_t axes_;
  Column<MeetingId, Meeting> meetings_;
  Runs<MeetingId, Seat> seats_;
  std::vector<MeetingId> of_;  // rank-major
};

}  // namespace sim

#endif  // SIM_MEETINGS_H_
