// Where ranks meet to communicate: one meeting for each group, held again for
// each of the group's calls.
//
//   Meeting& m = meetings[meetings.id(rank, axis)];
//   if (m.Arrive(now, duration)) {
//     // The last has come: all start at m.start and run for m.duration.
//     m.Clear();
//   }
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
  Instant start{};       // last arrival so far
  Duration duration{};   // the longest of those that arrived
  uint32_t arrived = 0;  // seats taken
  uint32_t seats = 0;    // seats there are

  // True if this was the last to come.
  bool Arrive(Instant at, Duration alone) {
    start = std::max(start, at);
    duration = std::max(duration, alone);
    return ++arrived == seats;
  }
  void Clear() { *this = {.seats = seats}; }
};

struct Seat {
  RankId rank;
  LaneId lane;  // on which the rank makes its calls; 0 if it makes none
};

class Meetings {
 public:
  // REQUIRES: Check(program) is ok.
  explicit Meetings(const Program& program);

  MeetingId id(RankId rank, AxisId axis) const {
    return of_[Row(rank) * axes_ + Row(axis)];
  }
  size_t size() const { return meetings_.size(); }
  Meeting& operator[](MeetingId id) { return meetings_[id]; }
  // By rank, then axis.
  std::span<const Seat> seats(MeetingId id) const { return seats_[id]; }

 private:
  size_t axes_;
  Column<MeetingId, Meeting> meetings_;
  Runs<MeetingId, Seat> seats_;
  std::vector<MeetingId> of_;  // rank-major
};

}  // namespace sim

#endif  // SIM_MEETINGS_H_
