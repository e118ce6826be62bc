// Runs a Program on the simulated clock.
//
//   absl::StatusOr<Timeline> t = Simulate(program);
//   t->start(rank)[Row(task)], t->finish(rank)[Row(task)]
//
// A simulation is a function: no clock, no log, no global. Equal programs give
// equal timelines. Reports, traces and memory curves are functions of (Program,
// Timeline); nothing listens in on the loop.
#ifndef SIM_ENGINE_H_
#define SIM_ENGINE_H_

#include "absl/status/statusor.h"
#include "sim/program.h"
#include "sim/timeline.h"

namespace sim {

// Fails only if the program deadlocks: the message names the ranks that stand
// still, the tasks they stand at and the peers that never come.
//
// REQUIRES: Check(program) (program_check.h) is ok.
// Cost: O(lanes) per stretch of kernels that nothing else waits for and per
// communication; O(log ranks) more where other lanes are at work while a
// communication waits for its peers. Memory: 48 bytes for each lane of each
// rank, 16 for every recorded task.
absl::StatusOr<Timeline> Simulate(const Program& program,
                                  Record record = Record::kEveryRank);

}  // namespace sim

#endif  // SIM_ENGINE_H_
