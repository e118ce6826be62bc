#include "sim/program_check.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

namespace sim {
namespace {

template <class... Words>
absl::Status Breach(const Words&... words) {
  return absl::InvalidArgumentError(absl::StrCat(words...));
}

class ScriptCheck {
 public:
  ScriptCheck(const Program& program, ScriptId id)
      : program_(program), id_(id), script_(program.scripts[id]) {}

  absl::Status Run() const {
    if (script_.waits.size() != script_.tasks.size()) {
      return Breach("script ", Row(id_), ": has ", script_.tasks.size(),
                    " tasks but rows of waits for ", script_.waits.size());
    }
    for (size_t row = 0; row < script_.tasks.size(); ++row) {
      const std::string problem = Problem(AsId<TaskId>(row));
      if (!problem.empty()) return At(row, problem);
    }
    if (absl::Status status = CheckAxes(); !status.ok()) return status;
    return CheckMemory();
  }

 private:
  absl::Status At(size_t task, absl::string_view problem) const {
    return Breach("script ", Row(id_), ", task ", task, ": ", problem);
  }

  // What is wrong with one task; empty if nothing is.
  std::string Problem(TaskId id) const {
    const Task& task = script_.tasks[id];
    const bool communicates = task.axis != kNoAxis;
    if (Row(task.lane) >= program_.lanes.size()) {
      return absl::StrCat("has no lane ", Row(task.lane));
    }
    if (communicates && Row(task.axis) >= program_.axes.size()) {
      return absl::StrCat("has no axis ", Row(task.axis));
    }
    if (Row(task.label) >= program_.labels.size()) {
      return absl::StrCat("has no label ", Row(task.label));
    }
    if (task.duration < Duration(0) || task.duration > kLongestTask) {
      return absl::StrCat("lasts ", task.duration.count(), " ps");
    }
    if (task.issue < Duration(0) || task.issue > kLongestTask) {
      return absl::StrCat("is issued after ", task.issue.count(), " ps");
    }
    const uint16_t takes = std::max(task.takes_compute, task.takes_memory);
    if (takes > (communicates ? 1024 : 0)) {
      return absl::StrCat(communicates ? "" : "is a kernel but ", "takes ",
                          takes, "/1024 of the device");
    }
    if (task.use != kNoUse && !communicates)
      return "is a kernel but uses links";
    if (task.use != kNoUse && Row(task.use) >= program_.uses.size()) {
      return absl::StrCat("has no use ", Row(task.use));
    }
    for (const TaskId wait : script_.waits[id]) {
      if (wait < id) continue;
      return absl::StrCat("waits for task ", Row(wait),
                          ", which is not before it");
    }
    return "";
  }

  // An axis is one communicator: its calls follow one another on one lane.
  absl::Status CheckAxes() const {
    std::vector<const Task*> first(program_.axes.size());
    for (size_t row = 0; row < script_.tasks.size(); ++row) {
      const Task& task = script_.tasks[AsId<TaskId>(row)];
      if (task.axis == kNoAxis) continue;
      const Task*& known = first[Row(task.axis)];
      if (known == nullptr) known = &task;
      if (known->lane == task.lane) continue;
      return At(row, absl::StrCat("uses axis ", program_.axes[task.axis],
                                  " on lane ", program_.lanes[task.lane],
                                  " after lane ", program_.lanes[known->lane]));
    }
    return absl::OkStatus();
  }

  absl::Status CheckMemory() const {
    absl::flat_hash_map<BufferId, bool> held;
    size_t last = 0;
    bool last_frees = false;
    for (const MemoryStep& step : script_.memory) {
      const size_t task = Row(step.task);
      if (task >= script_.tasks.size()) {
        return Breach("script ", Row(id_), ": memory step at task ", task,
                      " of ", script_.tasks.size());
      }
      if (task < last) return At(task, "memory step after a later task's");
      const bool frees = step.bytes == Bytes(0);
      if (task == last && last_frees && !frees) {
        return At(task, "allocates after it frees");
      }
      last = task;
      last_frees = frees;
      if (Row(step.holder) >= program_.holders.size()) {
        return At(task, absl::StrCat("has no holder ", Row(step.holder)));
      }
      if (step.bytes < Bytes(0)) {
        return At(task, absl::StrCat("allocates ", step.bytes.count(), " B"));
      }
      const size_t buffer = Row(step.buffer);
      if (!frees) {
        if (held.emplace(step.buffer, true).second) continue;
        return At(task, absl::StrCat("allocates buffer ", buffer, " again"));
      }
      const auto freed = held.find(step.buffer);
      if (freed == held.end() || !freed->second) {
        return At(task,
                  absl::StrCat("frees buffer ", buffer, ", which is not held"));
      }
      freed->second = false;
    }
    return absl::OkStatus();
  }

  const Program& program_;
  const ScriptId id_;
  const Script& script_;
};

absl::Status CheckRanks(const Program& program) {
  const size_t ranks = program.script.size(), axes = program.axes.size();
  if (program.groups.size() != ranks * axes) {
    return Breach("has ", program.groups.size(), " rows of groups for ", ranks,
                  " ranks and ", axes, " axes");
  }
  for (size_t row = 0; row < ranks; ++row) {
    if (Row(program.script[AsId<RankId>(row)]) >= program.scripts.size()) {
      return Breach("rank ", row, ": has no script ",
                    Row(program.script[AsId<RankId>(row)]));
    }
    for (size_t axis = 0; axis < axes; ++axis) {
      const GroupId group = program.groups[row * axes + axis];
      if (group == kNoGroup || Row(group) < program.members.size()) continue;
      return Breach("rank ", row, ": has no group ", Row(group), " on axis ",
                    program.axes[AsId<AxisId>(axis)]);
    }
  }
  return absl::OkStatus();
}

// Members, and the ranks whose rows name the group, are the same ranks.
absl::Status CheckGroups(const Program& program) {
  const size_t ranks = program.script.size(), axes = program.axes.size();
  std::vector<std::pair<GroupId, RankId>> named;
  for (size_t row = 0; row < program.groups.size(); ++row) {
    if (program.groups[row] == kNoGroup) continue;
    named.emplace_back(program.groups[row], AsId<RankId>(row / axes));
  }
  const Runs<GroupId, RankId> seats(program.members.size(), named);
  Column<RankId, uint8_t> is_member(ranks), is_seated(ranks);
  for (size_t row = 0; row < program.members.size(); ++row) {
    const GroupId group = AsId<GroupId>(row);
    for (const RankId rank : program.members[group]) {
      if (Row(rank) >= ranks) {
        return Breach("group ", row, ": has no rank ", Row(rank));
      }
      is_member[rank] = true;
    }
    for (const RankId rank : seats[group]) is_seated[rank] = true;
    for (const RankId rank : program.members[group]) {
      if (is_seated[rank]) continue;
      return Breach("group ", row, ": its member rank ", Row(rank),
                    " has it on no axis");
    }
    for (const RankId rank : seats[group]) {
      if (is_member[rank]) continue;
      return Breach("group ", row, ": rank ", Row(rank),
                    " has it on an axis but is not a member");
    }
    for (const RankId rank : program.members[group]) is_member[rank] = false;
    for (const RankId rank : seats[group]) is_seated[rank] = false;
  }
  return absl::OkStatus();
}

absl::Status CheckUses(const Program& program) {
  for (size_t row = 0; row < program.uses.size(); ++row) {
    std::vector<uint8_t> named(program.links.size());
    for (const LinkUse& use : program.uses[AsId<UseId>(row)]) {
      if (Row(use.link) >= program.links.size()) {
        return Breach("use ", row, ": has no link ", Row(use.link));
      }
      const std::string& name = program.links[use.link];
      if (use.parts < 1 || use.parts > 1024) {
        return Breach("use ", row, ": needs ", use.parts, "/1024 of ", name);
      }
      if (std::exchange(named[Row(use.link)], true)) {
        return Breach("use ", row, ": names ", name, " twice");
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Check(const Program& program) {
  if (program.lanes.size() > kMaxLanes) {
    return Breach("has ", program.lanes.size(), " lanes; the most is ",
                  kMaxLanes);
  }
  if (program.axes.size() > Row(kNoAxis)) {
    return Breach("has ", program.axes.size(), " axes; the most is ",
                  Row(kNoAxis));
  }
  if (absl::Status status = CheckUses(program); !status.ok()) return status;
  for (size_t row = 0; row < program.scripts.size(); ++row) {
    absl::Status status = ScriptCheck(program, AsId<ScriptId>(row)).Run();
    if (!status.ok()) return status;
  }
  if (absl::Status status = CheckRanks(program); !status.ok()) return status;
  return CheckGroups(program);
}

}  // namespace sim
