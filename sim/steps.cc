#include "sim/steps.h"

#include <algorithm>
#include <array>
#include <optional>

namespace sim {
namespace {

// Kernels joined into one stretch, at most: a stretch is walked again whenever
// a communication beside it begins or ends.
constexpr size_t kLongestStretch = 64;

// What fits the fields of a step: parts per 1024, and more host syncs than a
// script has tasks.
constexpr uint32_t kParts = (1u << 11) - 1, kEpochs = (1u << 30) - 1;

Step MakeStep(const Task& task) {
  Step step;
  step.duration = task.duration;
  step.issue = task.issue;
  step.takes_compute = task.takes_compute & kParts;
  step.takes_memory = task.takes_memory & kParts;
  step.axis = task.axis;
  step.kind =
      task.axis == kNoAxis ? StepKind::kKernel : StepKind::kCommunication;
  step.memory_bound = task.bound == Resource::kMemory;
  step.host_sync = task.host_sync;
  return step;
}

// Which of a script's waits can hold a task up. A lane runs in order, so a
// lane that has once waited for a step need not wait for it, or for an earlier
// one, again; and of a task's waits on one lane only the furthest counts.
class WaitFilter {
 public:
  explicit WaitFilter(const Script& script) : script_(script) {}

  // The tasks that `id` must see ended, one for each lane at most.
  // REQUIRES: called for each task of the script in turn.
  std::vector<TaskId> Needs(TaskId id) {
    std::array<size_t, kMaxLanes> ends = {};  // 1 + furthest task, by its lane
    const auto add = [&](TaskId task) {
      size_t& end = ends[Row(script_.tasks[task].lane)];
      end = std::max(end, Row(task) + 1);
    };
    for (const TaskId wait : script_.waits[id]) add(wait);
    if (last_sync_) add(*last_sync_);  // the host issues nothing before it

    const Task& task = script_.tasks[id];
    std::vector<TaskId> needs;
    for (size_t lane = 0; lane < kMaxLanes; ++lane) {
      size_t& seen = seen_[Row(task.lane)][lane];
      if (lane == Row(task.lane) || ends[lane] <= seen) continue;
      seen = ends[lane];
      needs.push_back(AsId<TaskId>(seen - 1));
    }
    if (task.host_sync) last_sync_ = id;
    return needs;
  }

 private:
  const Script& script_;
  std::optional<TaskId> last_sync_;
  // seen_[a][b]: lane a's latest task knows lane b's tasks below this ended.
  std::array<std::array<size_t, kMaxLanes>, kMaxLanes> seen_ = {};
};

}  // namespace

Steps::Steps(const Program& program) : lanes_(program.lanes.size()) {
  for (const Script& script : program.scripts) Append(script);
}

void Steps::Append(const Script& script) {
  const size_t first = steps_.size();
  const std::vector<StepId> step_of = LayOut(script);
  Connect(script, step_of);
  Join(AsId<StepId>(first));
}

// Appends the script's steps, lane after lane; returns the step of each task.
std::vector<StepId> Steps::LayOut(const Script& script) {
  std::vector<std::vector<TaskId>> by_lane(lanes_);
  uint32_t host_syncs = 0;
  for (size_t row = 0; row < script.tasks.size(); ++row) {
    const Task& task = script.tasks[AsId<TaskId>(row)];
    by_lane[Row(task.lane)].push_back(AsId<TaskId>(row));
    host_syncs += task.host_sync;
  }
  host_syncs_.Append(host_syncs);

  std::vector<StepId> step_of(script.tasks.size());
  for (const std::vector<TaskId>& lane : by_lane) {
    begin_.push_back(AsId<StepId>(steps_.size()));
    for (const TaskId task : lane) {
      step_of[Row(task)] = AsId<StepId>(steps_.size());
      steps_.push_back(MakeStep(script.tasks[task]));
      tasks_.push_back(task);
    }
    steps_.push_back(Step{});
    tasks_.push_back(TaskId{});
  }
  return step_of;
}

// Fills in needs, wakes and epochs.
void Steps::Connect(const Script& script, std::span<const StepId> step_of) {
  WaitFilter filter(script);
  std::vector<std::vector<Need>> needs(script.tasks.size());
  uint32_t epoch = 0;
  for (size_t row = 0; row < script.tasks.size(); ++row) {
    const Task& task = script.tasks[AsId<TaskId>(row)];
    steps_[Row(step_of[row])].epoch = epoch & kEpochs;
    epoch += task.host_sync;
    for (const TaskId other : filter.Needs(AsId<TaskId>(row))) {
      const size_t step = Row(step_of[Row(other)]);
      const LaneId lane = script.tasks[other].lane;
      needs[row].push_back(
          {static_cast<uint32_t>(Row(lane)), AsId<StepId>(step + 1)});
      steps_[step].wakes |= uint32_t{1} << Row(task.lane);
    }
  }
  const size_t first = steps_.size() - script.tasks.size() - lanes_;
  for (size_t step = first; step < steps_.size(); ++step) {
    steps_[step].needs = static_cast<uint32_t>(needs_.size());
    if (steps_[step].kind == StepKind::kEnd) continue;
    const std::vector<Need>& run = needs[Row(tasks_[step])];
    needs_.insert(needs_.end(), run.begin(), run.end());
  }
}

// Marks the kernels that the next step of their lane follows with no ado.
void Steps::Join(StepId first) {
  size_t length = 1;
  for (size_t row = Row(first); row + 2 < steps_.size(); ++row) {
    Step& step = steps_[row];
    const bool joins = step.kind == StepKind::kKernel &&
                       steps_[row + 1].kind == StepKind::kKernel &&
                       step.wakes == 0 && !step.host_sync &&
                       steps_[row + 1].needs == steps_[row + 2].needs &&
                       length < kLongestStretch;
    if (joins) step.kind = StepKind::kJoinedKernel;
    length = joins ? length + 1 : 1;
  }
}

}  // namespace sim
