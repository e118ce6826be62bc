#include "sim/meetings.h"

#include <utility>

namespace sim {
namespace {

// The lane of each script's calls on each axis, script-major.
std::vector<LaneId> LanesOfAxes(const Program& program) {
  const size_t axes = program.axes.size();
  std::vector<LaneId> lanes(program.scripts.size() * axes);
  for (size_t script = 0; script < program.scripts.size(); ++script) {
    for (const Task& task : program.scripts[AsId<ScriptId>(script)].tasks) {
      if (task.axis == kNoAxis) continue;
      lanes[script * axes + Row(task.axis)] = task.lane;
    }
  }
  return lanes;
}

}  // namespace

Meetings::Meetings(const Program& program) : axes_(program.axes.size()) {
  const std::vector<LaneId> lanes = LanesOfAxes(program);
  size_t meetings = program.members.size();
  std::vector<std::pair<MeetingId, Seat>> seats;
  for (size_t row = 0; row < program.script.size(); ++row) {
    const RankId rank = AsId<RankId>(row);
    const size_t script = Row(program.script[rank]);
    for (size_t axis = 0; axis < axes_; ++axis) {
      const GroupId group = program.group(rank, AsId<AxisId>(axis));
      const size_t meeting = group == kNoGroup ? meetings++ : Row(group);
      of_.push_back(AsId<MeetingId>(meeting));
      seats.emplace_back(of_.back(), Seat{rank, lanes[script * axes_ + axis]});
    }
  }
  seats_ = Runs<MeetingId, Seat>(meetings, seats);
  for (size_t row = 0; row < meetings; ++row) {
    const size_t count = seats_[AsId<MeetingId>(row)].size();
    meetings_.Append({.seats = static_cast<uint32_t>(count)});
  }
}

}  // namespace sim
