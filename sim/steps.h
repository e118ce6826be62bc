// A script as the engine reads it: lane by lane, each task in 32 bytes, with
// only the waits that can hold it up.
//
//   const Steps steps(program);
//   steps.begin(script, lane)          // a lane's first step
//   steps[step].kind == StepKind::kEnd // one past its last
//
// A task of a script becomes one step. Steps of all scripts lie in one array,
// so a step's number says everything about where a lane stands: lane `l` of a
// rank is past step `s` of its script when its position is above `s`.
#ifndef SIM_STEPS_H_
#define SIM_STEPS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "sim/column.h"
#include "sim/program.h"
#include "sim/units.h"

namespace sim {

enum class StepId : uint32_t {};  // a row of Steps

enum class StepKind : uint8_t {
  kKernel,         // the lane stops after it to tell others
  kJoinedKernel,   // the lane's next step is a kernel that needs nothing else
  kCommunication,  // meets its peers
  kEnd,            // the lane has no more tasks
};

struct Step {
  Duration duration;
  Duration issue;
  uint32_t needs = 0;  // first row in the table of needs; ends where the next
                       // step's begin
  uint32_t wakes = 0;  // bit l: a task of lane l may be waiting for this one
  uint32_t epoch : 30 = 0;  // host syncs before it in the script
  bool memory_bound : 1 = false;
  bool host_sync : 1 = false;
  uint32_t takes_compute : 11 = 0;
  uint32_t takes_memory : 11 = 0;
  StepKind kind : 2 = StepKind::kEnd;
  AxisId axis = kNoAxis;
};
static_assert(sizeof(Step) == 32, "two to a cache line");

// A step may start once lane `lane` of its rank has come as far as `position`.
struct Need {
  uint32_t lane;
  StepId position;
};

class Steps {
 public:
  // REQUIRES: Check(program) is ok.
  // Cost: O(tasks + waits), over scripts, not ranks.
  explicit Steps(const Program& program);

  const Step& operator[](StepId id) const { return steps_[Row(id)]; }
  std::span<const Need> needs(StepId id) const {
    return {needs_.data() + steps_[Row(id)].needs,
            needs_.data() + steps_[Row(id) + 1].needs};
  }
  // The task the step is made from. REQUIRES: not a lane's end.
  TaskId task(StepId id) const { return tasks_[Row(id)]; }

  StepId begin(ScriptId script, LaneId lane) const {
    return begin_[Row(script) * lanes_ + Row(lane)];
  }
  uint32_t host_syncs(ScriptId script) const { return host_syncs_[script]; }

 private:
  void Append(const Script& script);
  std::vector<StepId> LayOut(const Script& script);
  void Connect(const Script& script, std::span<const StepId> step_of);
  void Join(StepId first);

  size_t lanes_;
  std::vector<Step> steps_;
  std::vector<TaskId> tasks_;
  std::vector<Need> needs_;
  std::vector<StepId> begin_;  // script-major
  Column<ScriptId, uint32_t> host_syncs_;
};

}  // namespace sim

#endif  // SIM_STEPS_H_
