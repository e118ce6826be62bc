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
  size_t flow = 0;   // of a running communication
};

struct Place {
  size_t rank, task;
};

// One communication of all who meet.
struct Flow {
  std::vector<Place> peers;
  int64_t left = 0;  // ps x 2520
  int64_t pace = 0;  // -1 while it is sought
  bool over = false;
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
      FindPaces();
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
                     task.duration.count() * 1024, 0};
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
        RunAt(peer) = {State::kRunning, now_, kNever, 0, flows_.size()};
        some = true;
      }
      flows_.push_back({peers, longest * 2520, 0, false});
    });
    return some;
  }

  bool EndSome() {
    bool some = false;
    ForEach([&](Place at) {
      Run& run = RunAt(at);
      if (run.state != State::kRunning) return;
      const bool kernel = TaskAt(at).axis == kNoAxis;
      if ((kernel ? run.left : flows_[run.flow].left) > 0) return;
      if (!kernel) flows_[run.flow].over = true;
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
      if (beside.axis == kNoAxis) continue;
      const int64_t pace = flows_[runs_[kernel.rank][task].flow].pace;
      taken += TaskAt(kernel).bound == Resource::kMemory
                   ? (beside.takes_memory * pace + 2519) / 2520
                   : beside.takes_compute;
    }
    return std::max<int64_t>(1024 - taken, 64);
  }

  // Parts of a rank's link that one end of a communication needs.
  int64_t PartsOf(Place end, size_t rank, LinkId link) {
    const UseId use = TaskAt(end).use;
    if (end.rank != rank || use == kNoUse) return 0;
    for (const LinkUse& u : program_.uses[use]) {
      if (u.link == link) return u.parts;
    }
    return 0;
  }
  int64_t MostOf(const Flow& flow) {
    int64_t most = 0;
    for (const Place end : flow.peers) {
      if (TaskAt(end).use == kNoUse) continue;
      for (const LinkUse& use : program_.uses[TaskAt(end).use]) {
        most = std::max<int64_t>(most, use.parts);
      }
    }
    return most;
  }

  // The level at which a rank's link is full, flows without pace rising.
  int64_t LevelOf(size_t rank, LinkId link) {
    int64_t carried = 0, rising = 0;
    for (const Flow& flow : flows_) {
      if (flow.over) continue;
      for (const Place end : flow.peers) {
        const int64_t parts = PartsOf(end, rank, link);
        if (parts == 0) continue;
        if (flow.pace >= 0) {
          carried += parts * flow.pace;
        } else {
          rising += (parts * 1024 + MostOf(flow) - 1) / MostOf(flow);
        }
      }
    }
    return rising == 0 ? kNever : (1024 * 2520 - carried) * 1024 / rising;
  }

  // One link or one content flow at a time, the lowest level first.
  void FindPaces() {
    for (Flow& flow : flows_) flow.pace = flow.over ? 0 : -1;
    for (;;) {
      int64_t lowest = kNever;
      size_t lowest_rank = 0;
      LinkId lowest_link{};
      for (size_t rank = 0; rank < runs_.size(); ++rank) {
        for (size_t link = 0; link < program_.links.size(); ++link) {
          const int64_t level = LevelOf(rank, AsId<LinkId>(link));
          if (level >= lowest) continue;
          lowest = level;
          lowest_rank = rank;
          lowest_link = AsId<LinkId>(link);
        }
      }
      bool content = false;
      for (Flow& flow : flows_) {
        if (flow.pace >= 0 || MostOf(flow) * 2520 > lowest) continue;
        flow.pace = 2520;
        content = true;
        break;
      }
      if (content) continue;
      if (lowest == kNever) return;
      for (Flow& flow : flows_) {
        if (flow.pace >= 0) continue;
        for (const Place end : flow.peers) {
          if (PartsOf(end, lowest_rank, lowest_link) == 0) continue;
          flow.pace = lowest / MostOf(flow);
        }
      }
    }
  }

  int64_t NextChange() {
    int64_t next = kNever;
    ForEach([&](Place at) {
      const Run& run = RunAt(at);
      int64_t change = kNever;
      if (run.state == State::kWaiting) {
        change = Launch(at);
      } else if (run.state == State::kRunning) {
        const bool kernel = TaskAt(at).axis == kNoAxis;
        const int64_t speed = kernel ? Speed(at) : flows_[run.flow].pace;
        const int64_t left = kernel ? run.left : flows_[run.flow].left;
        change = now_ + (left + speed - 1) / speed;
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
    for (Flow& flow : flows_) {
      flow.left = std::max<int64_t>(flow.left - (next - now_) * flow.pace, 0);
    }
    now_ = next;
  }

  const Program& program_;
  std::vector<std::vector<Run>> runs_;  // [rank][task]
  std::vector<Flow> flows_;             // all there have been
  int64_t now_ = 0;
};

}  // namespace

std::optional<NaiveTimeline> NaiveSimulate(const Program& program) {
  return Naive(program).Simulate();
}

}  // namespace sim
