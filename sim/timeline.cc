#include "sim/timeline.h"

namespace sim {

std::span<const Instant> Timeline::start(RankId rank) const {
  return {starts.data() + offset[Row(rank)],
          starts.data() + offset[Row(rank) + 1]};
}

std::span<const Instant> Timeline::finish(RankId rank) const {
  return {finishes.data() + offset[Row(rank)],
          finishes.data() + offset[Row(rank) + 1]};
}

Timeline EmptyTimeline(const Program& program, Record record) {
  Timeline timeline;
  Column<ScriptId, uint8_t> seen(program.scripts.size());
  timeline.offset.push_back(0);
  for (const ScriptId script : program.script) {
    const bool recorded =
        record == Record::kEveryRank ||
        (record == Record::kFirstOfEachScript && !seen[script]);
    seen[script] = true;
    const uint64_t tasks = program.scripts[script].tasks.size();
    timeline.completions += tasks;
    timeline.offset.push_back(timeline.offset.back() + (recorded ? tasks : 0));
  }
  timeline.starts.resize(timeline.offset.back());
  timeline.finishes.resize(timeline.offset.back());
  return timeline;
}

}  // namespace sim
