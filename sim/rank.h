// What the engine knows of one rank, and sets of its lanes.
//
//   Rank rank;
//   Insert(rank.computing, LaneSet{1} << 3);
//   ForEachLane(rank.computing, [](uint32_t lane) { … });  // 3
#ifndef SIM_RANK_H_
#define SIM_RANK_H_

#include <bit>
#include <cstdint>

#include "sim/lane.h"
#include "sim/units.h"

namespace sim {

using LaneSet = uint32_t;  // bit l is lane l

inline void Insert(LaneSet& set, LaneSet bit) { set |= bit; }
inline void Remove(LaneSet& set, LaneSet bit) { set &= ~bit; }

// Calls visit with each lane of a set, the lowest first.
template <class Visit>
void ForEachLane(LaneSet set, Visit&& visit) {
  for (; set != 0; set &= set - 1) {
    visit(static_cast<uint32_t>(std::countr_zero(set)));
  }
}

struct Rank {
  Instant done;           // end of the last task so far
  uint32_t version = 0;   // of the rank's event in the queue
  LaneSet waiting = 0;    // for other lanes
  LaneSet computing = 0;  // with a stretch
  LaneSet arrived = 0;    // at a communication whose end is not known as yet
  LaneSet agreed = 0;     // with a communication that takes nothing as yet
  LaneSet loading = 0;    // with a communication that takes its part
  bool recorded = false;
  bool suspended = false;
  Device device;
};

}  // namespace sim

#endif  // SIM_RANK_H_
