// A Program is work made ready to run: placed, priced and ordered. It knows
// nothing of GPUs or Transformers; hardware/lowering.h compiles them into it.
//
// It is SPMD: ranks that do the same work share one Script, and a table says
// which rank runs which script and in which groups it meets its peers. 16,384
// ranks of 16 pipeline stages are 16 scripts and a table of 16,384 rows.
//
//   Script s;                                   // one lane, two kernels
//   s.Append({.duration = Microseconds(10), .lane = LaneId{0}});
//   s.Append({.duration = Microseconds(5), .lane = LaneId{0}});
#ifndef SIM_PROGRAM_H_
#define SIM_PROGRAM_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sim/column.h"
#include "sim/units.h"

namespace sim {

enum class RankId : uint32_t {};
enum class ScriptId : uint32_t {};
enum class TaskId : uint32_t {};   // a row of one script
enum class GroupId : uint32_t {};  // ranks that meet
enum class LaneId : uint8_t {};    // a stream of one rank; tasks run in order
enum class AxisId : uint8_t {};    // a kind of group; a rank has one per axis
enum class LabelId : uint32_t {};  // what a task is called; a row of `labels`
enum class LinkId : uint8_t {};    // a kind of link; a rank has one of each
enum class UseId : uint32_t {};    // a row of `uses`
enum class BufferId : uint32_t {};
enum class HolderId : uint8_t {};  // what memory is held for

inline constexpr AxisId kNoAxis{255};
inline constexpr GroupId kNoGroup{0xffffffff};
inline constexpr UseId kNoUse{0xffffffff};
inline constexpr size_t kMaxLanes = 32;
// 2^52 ps is 75 minutes. The engine counts a kernel's work in 1024ths of a
// picosecond, in 64 bits.
inline constexpr Duration kLongestTask{int64_t{1} << 52};

// Parts per 1024 of its speed that a kernel keeps, however much communications
// take: a step goes on even beside one that takes the whole device. A choice.
inline constexpr int64_t kLeastSpeed = 64;

// What a kernel runs short of when something else runs beside it.
enum class Resource : uint8_t { kCompute, kMemory };

// Parts per 1024 of a link of its rank that a communication needs to go at full
// pace, 1 .. 1024: bandwidth over its whole time, start-up and hops included.
struct LinkUse {
  LinkId link{};
  uint16_t parts = 0;

  friend bool operator==(const LinkUse&, const LinkUse&) = default;
};

// One kernel, or one rank's part in one communication.
//
// A task starts when the task before it on its lane is done, the tasks it waits
// for are done, and the host has had time to launch it. A task with an axis
// also waits for the same call of every other member of its group on that axis
// (k-th call meets k-th call); all of them then run, and end, together. An axis
// is one communicator: a script keeps its calls on one lane. Where the rank has
// no group on the axis, or is alone in it, the task meets nobody.
struct Task {
  // 0 .. kLongestTask, alone on the device; members' longest counts.
  Duration duration;
  // Launching takes the host time: the task cannot start earlier than this
  // after the start of the script, or after the end of the last host_sync task
  // before it in the script. 0 .. kLongestTask.
  Duration issue;
  LabelId label{};
  uint32_t pass = 0;  // which repetition (microbatch) of its label
  LaneId lane{};
  AxisId axis = kNoAxis;
  Resource bound = Resource::kCompute;  // kernels: what slows them
  bool host_sync = false;  // the host waits for its end before launching more
  // Communication: parts per 1024 of the device's compute units and memory
  // bandwidth it takes from kernels beside it while it runs, 0 .. 1024. A
  // kernel bound by r runs at (1024 - sum of active takes of r) / 1024 of its
  // speed, but never below kLeastSpeed / 1024; it ends at the first whole
  // picosecond by which its work is done.
  uint16_t takes_compute = 0;
  uint16_t takes_memory = 0;
  // Communication: what it needs of its rank's links. Members keep one pace:
  // links.h says which where links carry several communications, and of one
  // that is slowed, memory is taken likewise less.
  UseId use = kNoUse;
};

// A buffer comes or goes when the host issues `task`: the framework's allocator
// lives on the host, so memory follows the script's order, not the clock.
struct MemoryStep {
  TaskId task;      // frees happen after its launch, allocations before it
  BufferId buffer;  // allocated once, freed at most once
  Bytes bytes;      // > 0 allocates; 0 frees
  HolderId holder;
};

struct Script {
  Column<TaskId, Task> tasks;
  // Tasks that must end first, of other lanes (its own lane runs in order
  // anyway); each is earlier in the script.
  Runs<TaskId, TaskId> waits;
  std::vector<MemoryStep> memory;  // by task, in the order the host makes them

  TaskId Append(const Task& task, std::span<const TaskId> after = {}) {
    waits.Append(after);
    return tasks.Append(task);
  }
};

struct Program {
  Column<LaneId, std::string> lanes;    // names: "compute", "tp", …
  Column<AxisId, std::string> axes;     // names: "tp", "dp", "pp forward", …
  Column<LabelId, std::string> labels;  // names of tasks
  Column<HolderId, std::string> holders;  // "weights", "activations", …
  Column<LinkId, std::string> links;      // names: "nvlink out", "nic in", …
  // By UseId; names a link once. Without rows, nothing slows communications.
  Runs<UseId, LinkUse> uses;

  Column<ScriptId, Script> scripts;
  Column<RankId, ScriptId> script;
  // Members by position. A folded program repeats a rank that stands for
  // several; it arrives once.
  Runs<GroupId, RankId> members;
  // Rank-major; use group(). A group's members need not reach it on the same
  // axis: a channel may be its sender's "send" axis and its receiver's
  // "receive" axis. A rank that has it on two axes makes the calls of both.
  std::vector<GroupId> groups;

  GroupId group(RankId rank, AxisId axis) const {
    return groups[Row(rank) * axes.size() + Row(axis)];
  }
};

}  // namespace sim

#endif  // SIM_PROGRAM_H_
