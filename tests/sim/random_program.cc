#include "tests/sim/random_program.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace sim {
namespace {

class RandomWriter {
 public:
  RandomWriter(uint64_t seed, const RandomProgramOptions& options)
      : dice_(seed), options_(options) {}

  Program Write() {
    ranks_ = 1 + dice_.Below(6);
    const size_t lanes = 1 + dice_.Below(5);
    for (size_t lane = 0; lane < lanes; ++lane) {
      program_.lanes.Append(absl::StrCat("lane", lane));
    }
    program_.labels.Append("task");
    PlaceRanks();
    if (options_.links) AddLinks(dice_, program_);
    for (size_t axis = 0; axis < program_.axes.size() * ranks_; ++axis) {
      axis_lane_.push_back(AnyLane());
    }
    // Every rank sees the operations in one order, so none waits for ever.
    const size_t operations = 5 + dice_.Below(60);
    lost_ = options_.lost_call ? dice_.Below(operations) : operations;
    for (size_t i = 0; i < operations; ++i) {
      const bool kernel = program_.axes.empty() || dice_.Chance(55);
      kernel ? AddKernel() : AddCalls(i);
    }
    return std::move(program_);
  }

 private:
  LaneId AnyLane() { return AsId<LaneId>(dice_.Below(program_.lanes.size())); }
  RankId AnyRank() { return AsId<RankId>(dice_.Below(ranks_)); }

  void PlaceRanks() {
    for (size_t rank = 0; rank < ranks_; ++rank) {
      program_.script.Append(program_.scripts.Append(Script()));
    }
    std::vector<std::vector<GroupId>> group_of;  // [axis][rank]
    for (uint64_t axes = dice_.Below(4); axes > 0; --axes) {
      program_.axes.Append(absl::StrCat("axis", axes));
      group_of.push_back(AnyGroups());
    }
    for (uint64_t channels = dice_.Below(3); channels > 0; --channels) {
      const RankId from = AnyRank(), to = AnyRank();
      if (from == to) continue;
      const RankId members[] = {from, to};
      const GroupId channel = program_.members.Append(members);
      program_.axes.Append(absl::StrCat("send", channels));
      program_.axes.Append(absl::StrCat("receive", channels));
      for (const RankId end : members) {
        group_of.emplace_back(ranks_, kNoGroup);
        group_of.back()[Row(end)] = channel;
      }
    }
    for (size_t rank = 0; rank < ranks_; ++rank) {
      for (const auto& column : group_of) {
        program_.groups.push_back(column[rank]);
      }
    }
  }

  // The ranks dealt into three groups, some left out.
  std::vector<GroupId> AnyGroups() {
    std::vector<std::vector<RankId>> hands(3);
    for (size_t rank = 0; rank < ranks_; ++rank) {
      if (dice_.Chance(10)) continue;
      hands[dice_.Below(3)].push_back(AsId<RankId>(rank));
    }
    std::vector<GroupId> group_of(ranks_, kNoGroup);
    for (const std::vector<RankId>& hand : hands) {
      if (hand.empty()) continue;
      const GroupId group = program_.members.Append(hand);
      for (const RankId rank : hand) group_of[Row(rank)] = group;
    }
    return group_of;
  }

  Task AnyTask() {
    Task task;
    const uint64_t longest = dice_.Chance(70) ? 20 : 1000;
    if (dice_.Chance(85)) {
      task.duration = Picoseconds(static_cast<int64_t>(dice_.Below(longest)));
    }
    if (dice_.Chance(30)) {
      task.issue = Picoseconds(static_cast<int64_t>(dice_.Below(60)));
    }
    task.host_sync = options_.host_syncs && dice_.Chance(5);
    return task;
  }

  void Append(RankId rank, const Task& task) {
    Script& script = program_.scripts[program_.script[rank]];
    std::vector<TaskId> waits;
    while (!script.tasks.empty() && waits.size() < 3 && dice_.Chance(40)) {
      waits.push_back(AsId<TaskId>(dice_.Below(script.tasks.size())));
    }
    script.Append(task, waits);
  }

  void AddKernel() {
    Task task = AnyTask();
    task.lane = AnyLane();
    task.bound = dice_.Chance(50) ? Resource::kMemory : Resource::kCompute;
    Append(AnyRank(), task);
  }

  void AddCall(RankId rank, AxisId axis) {
    Task task = AnyTask();
    task.axis = axis;
    task.lane = axis_lane_[Row(rank) * program_.axes.size() + Row(axis)];
    if (options_.contention) {
      const uint64_t most = dice_.Chance(80) ? 400 : 1025;
      task.takes_compute = static_cast<uint16_t>(dice_.Below(most));
      task.takes_memory = static_cast<uint16_t>(dice_.Below(most));
    }
    if (options_.links) task.use = AnyUse(dice_, program_);
    Append(rank, task);
  }

  // One call of every member of a group, in one order on every rank.
  void AddCalls(size_t operation) {
    const RankId caller = AnyRank();
    const AxisId axis = AsId<AxisId>(dice_.Below(program_.axes.size()));
    const GroupId group = program_.group(caller, axis);
    if (group == kNoGroup) {
      AddCall(caller, axis);
      return;
    }
    bool lose = operation >= lost_ && !lost_already_;
    lost_already_ |= lose;
    for (size_t row = 0; row < program_.groups.size(); ++row) {
      if (program_.groups[row] != group) continue;
      if (!std::exchange(lose, false)) {
        AddCall(AsId<RankId>(row / program_.axes.size()),
                AsId<AxisId>(row % program_.axes.size()));
      }
    }
  }

  Dice dice_;
  const RandomProgramOptions options_;
  Program program_;
  size_t ranks_ = 0;
  size_t lost_ = 0;  // the first operation that may lose a call
  bool lost_already_ = false;
  std::vector<LaneId> axis_lane_;  // rank-major
};

// The lanes and the axes of a grid.
enum : uint8_t {
  kCompute,
  kTensor,
  kSend,
  kReceive,
  kSendBack,
  kReceiveBack,
  kData,
};

class GridWriter {
 public:
  GridWriter(uint64_t seed, const Grid& grid) : dice_(seed), grid_(grid) {}

  Program Write() {
    for (const char* name : {"compute", "tensor", "send", "receive",
                             "send back", "receive back", "data"}) {
      program_.lanes.Append(name);
      program_.axes.Append(name);  // axis `compute` has no groups
    }
    program_.labels.Append("task");
    if (grid_.links) AddLinks(dice_, program_);
    microbatches_ = 1 + dice_.Below(3);
    layers_ = 1 + dice_.Below(3);
    chunks_ = 1 + dice_.Below(2);
    for (uint32_t stage = 0; stage < grid_.pipeline; ++stage) {
      program_.scripts.Append(WriteStage(stage));
    }
    for (uint32_t rank = 0; rank < Ranks(); ++rank) {
      program_.script.Append(ScriptId{StageOf(rank)});
    }
    program_.groups.assign(Ranks() * program_.axes.size(), kNoGroup);
    WriteGroups();
    return std::move(program_);
  }

 private:
  uint32_t Ranks() const { return grid_.tensor * grid_.data * grid_.pipeline; }
  uint32_t StageOf(uint32_t rank) const {
    return rank / (grid_.tensor * grid_.data);
  }

  // A task of this stage; its lane is its axis.
  std::optional<TaskId> Add(uint8_t lane, std::optional<TaskId> after) {
    Task task;
    task.duration = Picoseconds(static_cast<int64_t>(dice_.Below(40)));
    host_ = host_ + Picoseconds(static_cast<int64_t>(dice_.Below(4)));
    task.issue = host_;
    task.lane = LaneId{lane};
    task.bound = dice_.Chance(50) ? Resource::kMemory : Resource::kCompute;
    if (lane != kCompute) {
      task.axis = AxisId{lane};
      task.takes_compute = static_cast<uint16_t>(dice_.Below(200));
      task.takes_memory = static_cast<uint16_t>(dice_.Below(200));
      if (grid_.links) task.use = AnyUse(dice_, program_);
    }
    std::vector<TaskId> waits;
    if (after) waits.push_back(*after);
    return script_.Append(task, waits);
  }

  void AddPass(bool receives, bool sends, bool backward, bool last) {
    std::optional<TaskId> before;
    if (receives) before = Add(backward ? kReceiveBack : kReceive, {});
    for (uint64_t layer = 0; layer < layers_; ++layer) {
      Add(kCompute, before);
      before = Add(kTensor, Add(kCompute, {}));
      if (last) Add(kData, before);
    }
    before = Add(kCompute, before);
    if (sends) Add(backward ? kSendBack : kSend, before);
  }

  // All microbatches forward, chunk by chunk, then all backward.
  Script WriteStage(uint32_t stage) {
    script_ = Script();
    host_ = Duration();
    const uint64_t passes = chunks_ * microbatches_;
    const bool head = stage == 0, tail = stage + 1 == grid_.pipeline;
    for (uint64_t pass = 0; pass < passes; ++pass) {
      AddPass(!head || pass >= microbatches_,
              !tail || pass < passes - microbatches_, false, false);
    }
    for (uint64_t pass = 0; pass < passes; ++pass) {
      AddPass(!tail || pass >= microbatches_,
              !head || pass < passes - microbatches_, true,
              pass + microbatches_ >= passes);
    }
    Add(kCompute, Add(kData, {}));
    return std::move(script_);
  }

  void Seat(uint32_t rank, uint8_t axis, GroupId group) {
    program_.groups[rank * program_.axes.size() + axis] = group;
  }

  void WriteGroups() {
    for (uint32_t rank = 0; rank < Ranks(); ++rank) {
      const uint32_t width = grid_.tensor * grid_.data;
      if (rank % grid_.tensor == 0) {
        WriteGroup(rank, grid_.tensor, 1, kTensor);
      }
      if (rank % width < grid_.tensor) {
        WriteGroup(rank, grid_.data, grid_.tensor, kData);
      }
      const uint32_t next = (rank + width) % Ranks();
      WriteChannel(rank, kSend, next, kReceive);
      WriteChannel(next, kSendBack, rank, kReceiveBack);
    }
  }

  void WriteGroup(uint32_t first, uint32_t size, uint32_t stride,
                  uint8_t axis) {
    std::vector<RankId> members;
    for (uint32_t i = 0; i < size; ++i)
      members.push_back(RankId{first + i * stride});
    const GroupId group = program_.members.Append(members);
    for (const RankId rank : members) {
      Seat(static_cast<uint32_t>(Row(rank)), axis, group);
    }
  }

  void WriteChannel(uint32_t from, uint8_t send, uint32_t to, uint8_t receive) {
    const RankId members[] = {RankId{from}, RankId{to}};
    const GroupId channel = program_.members.Append(members);
    Seat(from, send, channel);
    Seat(to, receive, channel);
  }

  Dice dice_;
  const Grid grid_;
  Program program_;
  uint64_t microbatches_ = 0, layers_ = 0, chunks_ = 0;
  Script script_;  // of the stage being written
  Duration host_;
};

}  // namespace

void AddLinks(Dice& dice, Program& program) {
  for (const char* name : {"nvlink", "nic out", "nic in"}) {
    program.links.Append(name);
  }
  for (int row = 0; row < 8; ++row) {
    std::vector<LinkUse> uses;
    for (uint8_t link = 0; link < 3; ++link) {
      if (link != row % 3 && !dice.Chance(30)) continue;
      const uint64_t parts = dice.Chance(25) ? 1024 : 1 + dice.Below(1024);
      uses.push_back({LinkId{link}, static_cast<uint16_t>(parts)});
    }
    program.uses.Append(uses);
  }
}

UseId AnyUse(Dice& dice, const Program& program) {
  return dice.Chance(10) ? kNoUse
                         : AsId<UseId>(dice.Below(program.uses.size()));
}

Program RandomProgram(uint64_t seed, const RandomProgramOptions& options) {
  return RandomWriter(seed, options).Write();
}

Program RandomGridProgram(uint64_t seed, const Grid& grid) {
  return GridWriter(seed, grid).Write();
}

}  // namespace sim
