// When the tasks of a program's ranks began and ended.
//
//   Timeline t = EmptyTimeline(program, Record::kFirstOfEachScript);
//   t.start(rank)[Row(task)], t.finish(rank)[Row(task)]
#ifndef SIM_TIMELINE_H_
#define SIM_TIMELINE_H_

#include <cstdint>
#include <span>
#include <vector>

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

// With room for the ranks to record, and the completions there will be.
Timeline EmptyTimeline(const Program& program, Record record);

}  // namespace sim

#endif  // SIM_TIMELINE_H_
