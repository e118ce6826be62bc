// The memory of one rank over a step: what its script's steps make of the
// framework's allocator.
//
//   Ledger ledger = Replay(script, program.holders.size());
//   ledger.allocated.bytes;   // torch.cuda.max_memory_allocated()
//   ledger.reserved.bytes;    // torch.cuda.max_memory_reserved()
//   ledger.held[kWeights];    // of the first, what the weights take
//
// Only what goes through the allocator: the CUDA context and the buffers of
// communication libraries are for the caller to add.
#ifndef SIM_LEDGER_H_
#define SIM_LEDGER_H_

#include <cstddef>
#include <span>
#include <vector>

#include "sim/caching_allocator.h"
#include "sim/column.h"
#include "sim/program.h"
#include "sim/units.h"

namespace sim {

// What the allocator holds while the host launches `task`: after the task's
// allocations, before its frees. What the last task's frees leave is told of
// the row after it.
struct MemoryPoint {
  TaskId task{};
  Bytes allocated, reserved;
  friend bool operator==(const MemoryPoint&, const MemoryPoint&) = default;
};

struct LiveBuffer {
  BufferId buffer{};
  HolderId holder{};
  TaskId since{};  // the task it was allocated for
  Bytes bytes;     // of its block
};

struct MemoryPeak {
  TaskId task{};  // the first at which it is reached; row 0 if nothing ever is
  Bytes bytes;
};

struct Ledger {
  MemoryPeak allocated;  // blocks in use
  MemoryPeak reserved;   // taken from the device: in use or cached

  // At the peak of allocated. Each buffer counts as its block, so that the
  // holders sum to allocated.bytes exactly.
  Column<HolderId, Bytes> held;
  std::vector<LiveBuffer> largest;  // largest first; among equals by buffer

  // One point for each task at which something changed. Empty unless asked for.
  std::vector<MemoryPoint> curve;
};

struct LedgerOptions {
  CachingAllocator::Options allocator = {};
  size_t largest = 10;  // how many buffers to name at most
  bool curve = false;   // 24 bytes for each task with memory steps
};

// Makes the script's memory steps in order.
// REQUIRES: steps are ordered by task, a task's allocations before its frees; a
// buffer is allocated once and freed at most once, after that; buffers are
// numbered densely; holders are below `holders`.
// Cost: O(steps · log cached blocks); a million steps take 0.2 to 0.5 s.
Ledger Replay(const Script& script, size_t holders,
              const LedgerOptions& options = {});

// When each point of `curve` is reached on a recorded rank's clock: as its task
// starts, and never before the point ahead of it, for a task of another lane
// may start before one that the host launched earlier. What lies past the last
// task is reached at `done`.
// REQUIRES: `starts` and `done` are the rank's in one Timeline.
std::vector<Instant> TimesOf(std::span<const MemoryPoint> curve,
                             std::span<const Instant> starts, Instant done);

}  // namespace sim

#endif  // SIM_LEDGER_H_
