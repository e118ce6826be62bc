#include "scenarios/trace.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "sim/column.h"
#include "sim/program.h"

namespace scenarios {
namespace {

// Who of a group is traced, by place in the list of traced ranks.
struct Traced {
  uint64_t number = 0;  // of the group, by when it was first met
  size_t first = std::numeric_limits<size_t>::max();  // of kAmong
  size_t last = 0;
  bool sender = false, receiver = false;
};

ArrowEnd::Side SideOf(Arrow arrow, size_t rank, const Traced& group) {
  switch (arrow) {
    case Arrow::kNone:
      return ArrowEnd::kNone;
    case Arrow::kAmong:
      if (group.first == group.last) return ArrowEnd::kNone;
      if (rank == group.first) return ArrowEnd::kFirst;
      return rank == group.last ? ArrowEnd::kLast : ArrowEnd::kMiddle;
    case Arrow::kLeave:
      return group.receiver ? ArrowEnd::kFirst : ArrowEnd::kNone;
    case Arrow::kArrive:
      return group.sender ? ArrowEnd::kLast : ArrowEnd::kNone;
  }
  return ArrowEnd::kNone;
}

}  // namespace

ArrowEnds::ArrowEnds(const TraceInputs& inputs)
    : axes_(inputs.arrows.size()), seats_(inputs.ranks.size() * axes_) {
  absl::flat_hash_map<sim::GroupId, Traced> groups;
  absl::flat_hash_set<sim::RankId> seen;
  std::vector<bool> first_of_rank;
  for (size_t rank = 0; rank < inputs.ranks.size(); ++rank) {
    const sim::RankId row = inputs.ranks[rank].rank;
    first_of_rank.push_back(seen.insert(row).second);
    if (!first_of_rank.back()) continue;
    for (size_t axis = 0; axis < axes_; ++axis) {
      const auto id = sim::AsId<sim::AxisId>(axis);
      Traced& group =
          groups
              .try_emplace(inputs.program.group(row, id), Traced{groups.size()})
              .first->second;
      const Arrow arrow = inputs.arrows[id];
      group.sender |= arrow == Arrow::kLeave;
      group.receiver |= arrow == Arrow::kArrive;
      if (arrow != Arrow::kAmong) continue;
      if (group.first > rank) group.first = rank;
      group.last = rank;
    }
  }
  for (size_t rank = 0; rank < inputs.ranks.size(); ++rank) {
    if (!first_of_rank[rank]) continue;
    for (size_t axis = 0; axis < axes_; ++axis) {
      const auto id = sim::AsId<sim::AxisId>(axis);
      const sim::GroupId group =
          inputs.program.group(inputs.ranks[rank].rank, id);
      if (group == sim::kNoGroup) continue;
      const Traced& traced = groups[group];
      seats_[rank * axes_ + axis] = {SideOf(inputs.arrows[id], rank, traced),
                                     traced.number};
    }
  }
}

void ArrowEnds::Start(size_t rank) {
  here_ = std::span(seats_).subspan(rank * axes_, axes_);
  calls_.assign(axes_, 0);
}

ArrowEnd ArrowEnds::Next(sim::AxisId axis) {
  if (axis == sim::kNoAxis || sim::Row(axis) >= axes_) return {};
  const uint32_t call = calls_[sim::Row(axis)]++;
  const Seat& seat = here_[sim::Row(axis)];
  if (seat.side == ArrowEnd::kNone) return {};
  return {seat.side, ((seat.group + 1) << 32) | call};
}

}  // namespace scenarios
