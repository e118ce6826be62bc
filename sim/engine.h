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

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "sim/column.h"
#include "sim/program.h"
#include "sim/units.h"

namespace sim {

struct Timeline {
  Column<RankId, Instant> done;  // when each rank finished its script
  Duration makespan;             // the last of them
  uint64_t completions = 0;      // tasks that ended, over all ranks

  // When each task of `rank` began to run (for a communication: when its last
  // peer arrived) and ended. Empty if the rank was not recorded.
  std::span<const Instant> start(RankId rank) const;
  std::span<const Instant> finish(RankId rank) const;

  // Recorded ranks lie one after another; offset[rank] == offset[rank + 1]
  // where nothing was recorded.
  std::vector<uint64_t> offset;
  std::vector<Instant> starts, finishes;
};

enum class Record : uint8_t {
  kEveryRank,
  kFirstOfEachScript,  // the lowest rank running each script
  kNothing,            // only Timeline::done
};

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
