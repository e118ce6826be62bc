// Programs written out by hand, one script for each rank.
//
//   Script s;
//   const TaskId gemm = s.Append(Kernel(10));            // 10 ps on lane 0
//   s.Append(Call(kTp, 5, {.lane = 1}), {{gemm}});       // after it, on lane 1
//   Program p = Of({s, s}, {{0, 1}});                    // one group on kTp
#ifndef TESTS_SIM_SMALL_PROGRAM_H_
#define TESTS_SIM_SMALL_PROGRAM_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sim/program.h"

namespace sim {

inline constexpr AxisId kTp{0}, kDp{1};
inline constexpr LabelId kGemm{0}, kAllReduce{1}, kAllGather{2};

struct Options {
  uint8_t lane = 0;
  int64_t issue = 0;  // ps
  uint16_t compute = 0, memory = 0;
  bool host_sync = false;
  uint32_t pass = 0;
  UseId use = kNoUse;
};

inline Task Kernel(int64_t ps, const Options& options = {},
                   Resource bound = Resource::kCompute) {
  Task task;
  task.duration = Picoseconds(ps);
  task.issue = Picoseconds(options.issue);
  task.label = kGemm;
  task.pass = options.pass;
  task.lane = LaneId{options.lane};
  task.bound = bound;
  task.host_sync = options.host_sync;
  task.takes_compute = options.compute;
  task.takes_memory = options.memory;
  return task;
}

inline Task Call(AxisId axis, int64_t ps, const Options& options = {}) {
  Task task = Kernel(ps, options);
  task.label = axis == kTp ? kAllReduce : kAllGather;
  task.axis = axis;
  task.use = options.use;
  return task;
}

using RankList = std::vector<uint32_t>;

// A program of four lanes. `tp` and `dp` list the groups of each axis; a rank
// in none has none.
inline Program Of(std::vector<Script> scripts, std::vector<RankList> tp = {},
                  std::vector<RankList> dp = {}) {
  Program program;
  for (const char* name : {"compute", "tp", "dp", "other"}) {
    program.lanes.Append(name);
  }
  for (const char* name : {"tp", "dp"}) program.axes.Append(name);
  for (const char* name : {"gemm", "all-reduce", "all-gather"}) {
    program.labels.Append(name);
  }
  program.holders.Append("activations");
  for (Script& script : scripts) {
    program.script.Append(program.scripts.Append(std::move(script)));
  }
  program.groups.assign(scripts.size() * 2, kNoGroup);
  for (const size_t axis : {0u, 1u}) {
    for (const RankList& ranks : axis == 0 ? tp : dp) {
      std::vector<RankId> members;
      for (const uint32_t rank : ranks) members.push_back(RankId{rank});
      const GroupId group = program.members.Append(members);
      for (const uint32_t rank : ranks) program.groups[rank * 2 + axis] = group;
    }
  }
  return program;
}

// The program with links "nvlink" and "nic", and these parts of them as uses:
// use 0 is the first pair, 0 parts standing for none.
inline Program WithLinks(
    Program program, const std::vector<std::pair<uint16_t, uint16_t>>& uses) {
  program.links.Append("nvlink");
  program.links.Append("nic");
  for (const auto& [nvlink, nic] : uses) {
    std::vector<LinkUse> use;
    if (nvlink > 0) use.push_back({LinkId{0}, nvlink});
    if (nic > 0) use.push_back({LinkId{1}, nic});
    program.uses.Append(use);
  }
  return program;
}

}  // namespace sim

#endif  // TESTS_SIM_SMALL_PROGRAM_H_
