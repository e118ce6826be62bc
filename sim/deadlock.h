// What stands still when a program deadlocks, in words.
//
//   deadlock: 2 of 2 ranks never finish
//   rank 0 stands at "all-reduce" (pass 0, lane tp): rank 1 never comes, it
//   stands at "all-gather" (pass 0, lane dp)
//   ...
#ifndef SIM_DEADLOCK_H_
#define SIM_DEADLOCK_H_

#include <span>

#include "absl/status/status.h"
#include "sim/program.h"

namespace sim {

// A lane that has tasks left when nothing can move any more.
struct Standing {
  RankId rank;
  LaneId lane;
  TaskId task;   // the lane's next
  bool arrived;  // at a communication, for which peers are missing; if not, it
                 // waits for another lane of its rank
};

// Names up to eight of the places where a rank awaits its peers and, for each,
// up to four of the peers that have not come and where those stand.
//
// REQUIRES: `standing` is sorted by rank and lane, and every rank in it has
// arrived somewhere.
absl::Status DeadlockError(const Program& program,
                           std::span<const Standing> standing);

}  // namespace sim

#endif  // SIM_DEADLOCK_H_
