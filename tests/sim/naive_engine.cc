#include "tests/sim/naive_engine.h"

#include <algorithm>
#include <limits>

namespace sim {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

enum class State { kWaiting, kRunning, kDone };

struct Run {
  State state = State::kWaiting;
  int64_t start = 0, finish = kNever;
  int64_t left = 0;  // a running kernel's work, ps x 1024
};

struct Place {
  size_t rank, task;
};

class Naive {
 public:
  explicit Naive(const Program& program) : program_(program) {
    for (const ScriptId script : program.script) {
      runs_.emplace_back(program.scripts[script].tasks.size());
    }
  }

  std::optional<NaiveTimeline> Simulate() {
    for (;;) {
      while (EndSome() || BeginSome()) {
      }
      const int64_t next = NextChange();
      if (next == kNever) break;
      Advance(next);
    }
    NaiveTimeline timeline;
    for (const std::vector<Run>& rank : runs_) {
      timeline.start.emplace_back();
      timeline.finish.emplace_back();
      for (const Run& run : rank) {
        if (run.state != State::kDone) return std::nullopt;
        timeline.start.back().push_back(run.start);
        timeline.finish.back().push_back(run.finish);
      }
    }
    return timeline;
  }

 private:
  const Script& ScriptOf(size_t rank) const {
    return program_.scripts[program_.script[AsId<RankId>(rank)]];
  }
  const Task& TaskAt(Place at) const {
    return ScriptOf(at.rank).tasks[AsId<TaskId>(at.task)];
  }
  Run& RunAt(Place at) { return runs_[at.rank][at.task]; }

  template <class Visit>
  void ForEach(Visit&& visit) {
    for (size_t rank = 0; rank < runs_.size(); ++rank) {
      for (size_t task = 0; task < runs_[rank].size(); ++task) {
        visit(Place{rank, task});
      }
    }
  }

  // When the task may begin, as far as its own rank is concerned; kNever if
  // something it needs has not ended.
  int64_t Launch(Place at) {
    const Task& task = TaskAt(at);
    int64_t host = 0;
    for (size_t row = 0; row < at.task; ++row) {
      const Task& before = TaskAt({at.rank, row});
      const Run& run = runs_[at.rank][row];
      const bool needed = before.lane == task.lane || before.host_sync;
      if (needed && run.state != State::kDone) return kNever;
      if (before.host_sync) host = run.finish;
    }
    for (const TaskId wait : ScriptOf(at.rank).waits[AsId<TaskId>(at.task)]) {
      if (runs_[at.rank][Row(wait)].state != State::kDone) return kNever;
    }
    return host + task.issue.count();
  }

  bool Ready(Place at) {
    if (RunAt(at).state != State::kWaiting) return false;
    const int64_t launch = Launch(at);
    return launch != kNever && launch <= now_;
  }

  // The next call of each of the tasks that meet where `at` does; empty if one
  // of them has no call left.
  std::vector<Place> Peers(Place at) {
    const GroupId group =
        program_.group(AsId<RankId>(at.rank), TaskAt(at).axis);
    if (group == kNoGroup) return {at};
    std::vector<Place> peers;
    for (size_t rank = 0; rank < runs_.size(); ++rank) {
      for (size_t axis = 0; axis < program_.axes.size(); ++axis) {
        if (program_.group(AsId<RankId>(rank), AsId<AxisId>(axis)) != group) {
          continue;
        }
        size_t task = 0;
        while (task < runs_[rank].size() &&
               (Row(TaskAt({rank, task}).axis) != axis ||
                runs_[rank][task].state == State::kDone)) {
          ++task;
        }
        if (task == runs_[rank].size()) return {};
        peers.push_back({rank, task});
      }
    }
    return peers;
  }

  bool BeginSome() {
    bool some = false;
    ForEach([&](Place at) {
      if (!Ready(at)) return;
      const Task& task = TaskAt(at);
      if (task.axis == kNoAxis) {
        RunAt(at) = {State::kRunning, now_, kNever,
                     task.duration.count() * 1024};
        some = true;
        return;
      }
      const std::vector<Place> peers = Peers(at);
      int64_t longest = 0;
      for (const Place peer : peers) {
        if (!Ready(peer)) return;
        longest = std::max(longest, TaskAt(peer).duration.count());
      }
      for (const Place peer : peers) {
        RunAt(peer) = {State::kRunning, now_, now_ + longest, 0};
        some = true;
      }
    });
    return some;
  }

  bool EndSome() {
    bool some = false;
    ForEach([&](Place at) {
      Run& run = RunAt(at);
      if (run.state != State::kRunning) return;
      const bool kernel = TaskAt(at).axis == kNoAxis;
      if (kernel ? run.left > 0 : run.finish > now_) return;
      run.state = State::kDone;
      run.finish = now_;
      some = true;
    });
    return some;
  }

  int64_t Speed(Place kernel) {
    int64_t taken = 0;
    for (size_t task = 0; task < runs_[kernel.rank].size(); ++task) {
      if (runs_[kernel.rank][task].state != State::kRunning) continue;
      const Task& beside = TaskAt({kernel.rank, task});
      taken += TaskAt(kernel).bound == Resource::kMemory ? beside.takes_memory
                                                         : beside.takes_compute;
    }
    return std::max<int64_t>(1024 - taken, 64);
  }

  int64_t NextChange() {
    int64_t next = kNever;
    ForEach([&](Place at) {
      const Run& run = RunAt(at);
      int64_t change = kNever;
      if (run.state == State::kWaiting) {
        change = Launch(at);
      } else if (run.state == State::kRunning) {
        const int64_t speed = Speed(at);
        change = TaskAt(at).axis == kNoAxis
                     ? now_ + (run.left + speed - 1) / speed
                     : run.finish;
      }
      if (change > now_) next = std::min(next, change);
    });
    return next;
  }

  void Advance(int64_t next) {
    ForEach([&](Place at) {
      Run& run = RunAt(at);
      if (run.state != State::kRunning || TaskAt(at).axis != kNoAxis) return;
      run.left = std::max<int64_t>(run.left - (next - now_) * Speed(at), 0);
    });
    now_ = next;
  }

  const Program& program_;
  std::vector<std::vector<Run>> runs_;  // [rank][task]
  int64_t now_ = 0;
};

}  // namespace

std::optional<NaiveTimeline> NaiveSimulate(const Program& program) {
  return Naive(program).Simulate();
}

}  // namespace sim
