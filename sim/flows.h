// Communications under way in a program whose communications slow each other:
// how much of each is left, at what pace it goes, when it will end.
//
//   Flows flows(links, meetings);
//   flows.Plan(meeting, Microseconds(10));      // all have come
//   flows.Begin(meeting, now, crossings);       // they start
//   flows.Share(now, [](MeetingId changed, Pace was) { … });
//   flows.end(meeting);                         // as things stand
//
// Work is counted in 1/2520 ps at full pace, so that progress, time x pace, is
// a whole number however often the pace changes; only the end is rounded, up to
// the next picosecond.
#ifndef SIM_FLOWS_H_
#define SIM_FLOWS_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "sim/column.h"
#include "sim/links.h"
#include "sim/meetings.h"
#include "sim/program.h"
#include "sim/units.h"

namespace sim {

class Flows {
 public:
  Flows(size_t links, size_t meetings)
      : links_(links, meetings), flows_(meetings) {}

  void Plan(MeetingId id, Duration alone) {
    Flow& flow = flows_[id];
    flow.left = static_cast<uint64_t>(alone.count()) * kFullPace;
    flow.began = false;
    ++flow.version;
  }
  // REQUIRES: planned.
  void Begin(MeetingId id, Instant now, std::span<const Crossing> crossings) {
    flows_[id].began = true;
    flows_[id].since = now;
    links_.Add(static_cast<uint32_t>(Row(id)), crossings);
  }
  // REQUIRES: it has begun.
  void End(MeetingId id) { links_.Remove(static_cast<uint32_t>(Row(id))); }

  bool began(MeetingId id) const { return flows_[id].began; }
  // Of the event, its start or its end, that is foretold for the communication.
  uint32_t version(MeetingId id) const { return flows_[id].version; }
  Pace pace(MeetingId id) const {
    return links_.pace(static_cast<uint32_t>(Row(id)));
  }
  // REQUIRES: it has begun, and paces are up to date.
  Instant end(MeetingId id) const {
    const auto pace_now = static_cast<uint64_t>(pace(id));
    const uint64_t rounded_up = flows_[id].left + pace_now - 1;
    return flows_[id].since +
           Duration(static_cast<int64_t>(rounded_up / pace_now));
  }

  // Whether communications have begun or ended since the last Share.
  bool stale() const { return links_.stale(); }
  // Calls changed(meeting, pace before) for each whose pace is not what it was.
  template <class Changed>
  void Share(Instant now, Changed&& changed) {
    links_.Share([&](uint32_t row, Pace was) {
      const MeetingId id = AsId<MeetingId>(row);
      Flow& flow = flows_[id];
      flow.left -= static_cast<uint64_t>((now - flow.since).count()) *
                   static_cast<uint64_t>(was);
      flow.since = now;
      ++flow.version;
      changed(id, was);
    });
  }

 private:
  struct Flow {
    Instant since;  // `left` is what is left at this instant
    uint64_t left = 0;
    uint32_t version = 0;
    bool began = false;
  };

  Links links_;
  Column<MeetingId, Flow> flows_;
};

}  // namespace sim

#endif  // SIM_FLOWS_H_
