#include "sim/ledger.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "sim/caching_allocator.h"
#include "sim/column.h"
#include "sim/program.h"
#include "sim/units.h"

namespace sim {
namespace {

size_t BufferCount(std::span<const MemoryStep> steps) {
  size_t count = 0;
  for (const MemoryStep& step : steps) {
    count = std::max(count, Row(step.buffer) + 1);
  }
  return count;
}

// Names what lives when `ledger.allocated` is reached: `steps` are those made
// by then, `taken` the size of each buffer's block.
void DescribePeak(std::span<const MemoryStep> steps,
                  const Column<BufferId, Bytes>& taken, size_t largest,
                  Ledger& ledger) {
  Column<BufferId, uint8_t> freed(taken.size());
  for (const MemoryStep& step : steps) {
    if (step.bytes == Bytes(0)) freed[step.buffer] = 1;
  }
  std::vector<LiveBuffer> live;
  for (const MemoryStep& step : steps) {
    if (step.bytes == Bytes(0) || freed[step.buffer]) continue;
    ledger.held[step.holder] += taken[step.buffer];
    live.push_back({step.buffer, step.holder, step.task, taken[step.buffer]});
  }
  const size_t kept = std::min(largest, live.size());
  const auto last = live.begin() + static_cast<std::ptrdiff_t>(kept);
  std::partial_sort(live.begin(), last, live.end(),
                    [](const LiveBuffer& a, const LiveBuffer& b) {
                      if (a.bytes != b.bytes) return a.bytes > b.bytes;
                      return a.buffer < b.buffer;
                    });
  live.erase(last, live.end());
  ledger.largest = std::move(live);
}

void Raise(MemoryPeak& peak, TaskId task, Bytes bytes) {
  if (bytes > peak.bytes) peak = {task, bytes};
}

// Appends what `task` sees, unless nothing changed since the last point.
void Extend(std::vector<MemoryPoint>& curve, const MemoryPoint& point) {
  if (!curve.empty() && curve.back().task == point.task) curve.pop_back();
  if (!curve.empty() && curve.back().allocated == point.allocated &&
      curve.back().reserved == point.reserved) {
    return;
  }
  curve.push_back(point);
}

}  // namespace

Ledger Replay(const Script& script, size_t holders,
              const LedgerOptions& options) {
  const std::span<const MemoryStep> steps = script.memory;
  const size_t buffers = BufferCount(steps);
  Column<BufferId, BlockId> block(buffers);
  Column<BufferId, Bytes> taken(buffers);
  CachingAllocator allocator(options.allocator);
  Ledger ledger;
  ledger.held = Column<HolderId, Bytes>(holders);
  size_t steps_to_peak = 0;

  for (size_t i = 0; i < steps.size(); ++i) {
    const auto& [task, buffer, bytes, holder] = steps[i];
    assert(i == 0 || steps[i - 1].task < task ||
           (steps[i - 1].task == task &&
            (bytes == Bytes(0) || steps[i - 1].bytes > Bytes(0))));
    if (bytes > Bytes(0)) {
      block[buffer] = allocator.Allocate(bytes);
      taken[buffer] = allocator.size(block[buffer]);
      if (allocator.allocated() > ledger.allocated.bytes) steps_to_peak = i + 1;
      Raise(ledger.allocated, task, allocator.allocated());
      Raise(ledger.reserved, task, allocator.reserved());
    } else {
      allocator.Free(block[buffer]);
    }
    if (options.curve) {
      // What a free leaves is first seen by the task after.
      const TaskId seen_by =
          bytes > Bytes(0) ? task : AsId<TaskId>(Row(task) + 1);
      Extend(ledger.curve,
             {seen_by, allocator.allocated(), allocator.reserved()});
    }
  }
  DescribePeak(steps.first(steps_to_peak), taken, options.largest, ledger);
  return ledger;
}

std::vector<Instant> TimesOf(std::span<const MemoryPoint> curve,
                             std::span<const Instant> starts, Instant done) {
  std::vector<Instant> times;
  times.reserve(curve.size());
  Instant now;
  for (const MemoryPoint& point : curve) {
    const size_t task = Row(point.task);
    now = std::max(now, task < starts.size() ? starts[task] : done);
    times.push_back(now);
  }
  return times;
}

}  // namespace sim
