#include "sim/meetings.h"

#include <utility>

namespace sim {

Meetings::Meetings(const Program& program) : axes_(program.axes.size()) {
  size_t meetings = program.members.size();
  std::vector<std::pair<MeetingId, Seat>> seats;
  for (size_t rank = 0; rank < program.script.size(); ++rank) {
    for (size_t axis = 0; axis < axes_; ++axis) {
      const Seat seat = {AsId<RankId>(rank), AsId<AxisId>(axis)};
      const GroupId group = program.group(seat.rank, seat.axis);
      const size_t row = group == kNoGroup ? meetings++ : Row(group);
      of_.push_back(AsId<MeetingId>(row));
      seats.emplace_back(of_.back(), seat);
    }
  }
  seats_ = Runs<MeetingId, Seat>(meetings, seats);
  for (size_t row = 0; row < meetings; ++row) {
    const size_t count = seats_[AsId<MeetingId>(row)].size();
    meetings_.Append({.seats = static_cast<uint32_t>(count)});
  }
}

}  // namespace sim
