// Whether a Program keeps the promises that the engine relies on.
//
//   absl::Status status = Check(program);
//   // script 2, task 17: waits for task 17, which is not before it
//
// Lowering is meant to write only sound programs, so what this finds is a fault
// in the code that wrote the program, not in a scenario.
#ifndef SIM_PROGRAM_CHECK_H_
#define SIM_PROGRAM_CHECK_H_

#include "absl/status/status.h"
#include "sim/program.h"

namespace sim {

// Ok if
//  - the program has at most kMaxLanes lanes, and every id names a row that is
//    there;
//  - waits name tasks earlier in the script;
//  - an axis keeps to one lane in each script, so that a rank has at most one
//    call pending in each group;
//  - durations and issue times are from 0 to kLongestTask, and a task takes at
//    most 1024 parts of 1024 of a resource, none unless it communicates; uses
//    of links likewise, 1 part at least, each link once;
//  - memory steps are in the order of their tasks, a task's allocations before
//    its frees; a buffer is allocated once, and freed at most once, after that;
//  - a group's members are the ranks whose rows name it.
// Otherwise the first breach, by script, task, rank, group.
//
// A program that is ok may still deadlock.
// Cost: O(tasks + waits) over scripts, O(ranks · axes + members) over ranks.
absl::Status Check(const Program& program);

}  // namespace sim

#endif  // SIM_PROGRAM_CHECK_H_
