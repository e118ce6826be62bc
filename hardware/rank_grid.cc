#include "hardware/rank_grid.h"

#include <map>

#include "models/data_parallel.h"

namespace hardware {

using models::Axis;

RankGrid::RankGrid(const models::Split& split)
    : split_(split),
      placement_(split.placement()),
      copies_(split.copies()),
      shard_ranks_(models::ShardRanks(split)),
      expert_shard_ranks_(
          models::ShardRanks(split, models::ParameterKind::kExpert)),
      near_ranks_(models::NearRanks(split)) {}

ExpertPlace RankGrid::ExpertPlaceOf(int64_t rank) const {
  const int64_t parts = split_.parts_of_expert();
  const int64_t at = rank % StageRanks();
  return {.tensor = at % parts,
          .expert = at / parts % split_.expert,
          .copy = at / (parts * split_.expert)};
}

int64_t RankGrid::RankAt(const ExpertPlace& p, int64_t stage) const {
  return p.tensor +
         split_.parts_of_expert() * (p.expert + split_.expert * p.copy) +
         StageRanks() * stage;
}

std::vector<int> RankGrid::ExpertGroupOf(int64_t rank, Axis axis) const {
  const ExpertPlace here = ExpertPlaceOf(rank);
  const int64_t stage = rank / StageRanks();
  ExpertPlace p = here;
  std::vector<int> group;
  const auto add = [&](int64_t of_stage) {
    group.push_back(static_cast<int>(RankAt(p, of_stage)));
  };
  if (axis == Axis::kExpert) {
    for (p.expert = 0; p.expert < split_.expert; ++p.expert) add(stage);
    return group;
  }
  if (axis == Axis::kExpertTensor) {
    for (p.tensor = 0; p.tensor < split_.parts_of_expert(); ++p.tensor) {
      add(stage);
    }
    return group;
  }
  if (axis == Axis::kExpertModel) {
    for (int64_t s = 0; s < split_.pipeline; ++s) {
      if (CopyOf(s) != CopyOf(stage)) continue;
      for (p.expert = 0; p.expert < split_.expert; ++p.expert) {
        for (p.tensor = 0; p.tensor < split_.parts_of_expert(); ++p.tensor) {
          add(s);
        }
      }
    }
    return group;
  }
  const int64_t of_stage = split_.expert_copies() / copies_;
  const int64_t mine = here.copy + of_stage * CopyOf(stage);
  for (int64_t i = 0; i < of_stage * copies_; ++i) {
    const bool of_shard = i / expert_shard_ranks_ == mine / expert_shard_ranks_;
    const bool of_replicate =
        i % expert_shard_ranks_ == mine % expert_shard_ranks_;
    if (axis == Axis::kExpertShard && !of_shard) continue;
    if (axis == Axis::kExpertReplicate && !of_replicate) continue;
    p.copy = i % of_stage;
    add(StageOfCopy(stage, i / of_stage));
  }
  return group;
}

bool RankGrid::SharesPart(Axis axis, int64_t a, int64_t b) const {
  switch (axis) {
    case Axis::kSecondShard:
      return a / split_.second_shard == b / split_.second_shard;
    case Axis::kShardNear:
      return a / near_ranks_ == b / near_ranks_;
    case Axis::kShardFar:
      return a % near_ranks_ == b % near_ranks_ &&
             a / shard_ranks_ == b / shard_ranks_;
    default:
      return true;
  }
}

RankPlace RankGrid::Place(int64_t rank) const {
  RankPlace place;
  place.tensor = rank % split_.tensor;
  rank /= split_.tensor;
  place.context = rank % split_.context;
  rank /= split_.context;
  place.data = rank % split_.data;
  place.stage = rank / split_.data;
  return place;
}

int64_t RankGrid::RankAt(const RankPlace& p) const {
  return p.tensor +
         split_.tensor *
             (p.context + split_.context * (p.data + split_.data * p.stage));
}

int64_t RankGrid::Neighbour(int64_t stage, int step) const {
  const int64_t next = stage + step;
  if (next >= 0 && next < split_.pipeline) return next;
  if (split_.pipeline == 1 || split_.virtual_stages == 1 ||
      placement_ != models::Placement::kRing) {
    return -1;
  }
  return (next + split_.pipeline) % split_.pipeline;
}

std::pair<int64_t, int64_t> RankGrid::Channel(int64_t stage, Axis axis) const {
  switch (axis) {
    case Axis::kForwardIn:
    case Axis::kUpBackwardIn:
      return {Neighbour(stage, -1), stage};
    case Axis::kForwardOut:
    case Axis::kUpBackwardOut:
      return {stage, Neighbour(stage, +1)};
    case Axis::kBackwardIn:
    case Axis::kUpForwardIn:
      return {Neighbour(stage, +1), stage};
    case Axis::kBackwardOut:
    case Axis::kUpForwardOut:
      return {stage, Neighbour(stage, -1)};
    default:
      return {-1, -1};
  }
}

int64_t RankGrid::CopyOf(int64_t stage) const {
  return copies_ > 1 && stage >= split_.pipeline / 2 ? 1 : 0;
}

int64_t RankGrid::StageOfCopy(int64_t stage, int64_t copy) const {
  return copy == CopyOf(stage) ? stage : split_.pipeline - 1 - stage;
}

std::vector<int> RankGrid::GroupOf(int64_t rank, Axis axis) const {
  const RankPlace here = Place(rank);
  std::vector<int> group;
  const auto add = [&](const RankPlace& place) {
    group.push_back(static_cast<int>(RankAt(place)));
  };
  // The sender's stage, then the receiver's; -1 for none.
  const auto channel = [&](int64_t sender, int64_t receiver) {
    if (sender < 0 || receiver < 0) return;
    RankPlace place = here;
    place.stage = sender;
    add(place);
    place.stage = receiver;
    add(place);
  };
  RankPlace p = here;
  switch (axis) {
    case Axis::kTensor:
      for (p.tensor = 0; p.tensor < split_.tensor; ++p.tensor) add(p);
      break;
    case Axis::kContext:
      // Every head_ranks-th: the ranks that hold the same heads.
      for (p.context = here.context % split_.head_ranks();
           p.context < split_.context; p.context += split_.head_ranks()) {
        add(p);
      }
      break;
    case Axis::kContextHeads: {
      const int64_t first = here.context - here.context % split_.head_ranks();
      for (int64_t i = 0; i < split_.head_ranks(); ++i) {
        p.context = first + i;
        add(p);
      }
      break;
    }
    case Axis::kData:
    case Axis::kShard:
    case Axis::kReplicate:
    case Axis::kSecondShard:
    case Axis::kShardNear:
    case Axis::kShardFar: {
      // Replica number: context fastest, as the ranks are.
      const int64_t replicas = split_.context * split_.data;
      const int64_t mine = here.context + split_.context * here.data +
                           replicas * CopyOf(here.stage);
      for (int64_t i = 0; i < replicas * copies_; ++i) {
        if (axis == Axis::kShard && i / shard_ranks_ != mine / shard_ranks_) {
          continue;
        }
        if (axis == Axis::kReplicate &&
            i % shard_ranks_ != mine % shard_ranks_) {
          continue;
        }
        if (!SharesPart(axis, i, mine)) continue;
        p.context = i % split_.context;
        p.data = i / split_.context % split_.data;
        p.stage = StageOfCopy(here.stage, i / replicas);
        add(p);
      }
      break;
    }
    case Axis::kEmbedding:
      if (split_.ends_meet()) break;
      if (here.stage != 0 && here.stage != split_.pipeline - 1) break;
      channel(0, split_.pipeline - 1);
      break;
    case Axis::kModel:
      for (p.stage = 0; p.stage < split_.pipeline; ++p.stage) {
        if (CopyOf(p.stage) != CopyOf(here.stage)) continue;
        for (p.tensor = 0; p.tensor < split_.tensor; ++p.tensor) add(p);
      }
      break;
    case Axis::kStage:
      for (int64_t i = 0; i < StageRanks(); ++i) {
        group.push_back(static_cast<int>(i + StageRanks() * here.stage));
      }
      break;
    case Axis::kForwardIn:
    case Axis::kForwardOut:
    case Axis::kBackwardIn:
    case Axis::kBackwardOut:
    case Axis::kUpForwardIn:
    case Axis::kUpForwardOut:
    case Axis::kUpBackwardIn:
    case Axis::kUpBackwardOut: {
      const auto [sender, receiver] = Channel(here.stage, axis);
      channel(sender, receiver);
      break;
    }
    case Axis::kVocabulary:
      for (p.stage = 0; p.stage < split_.pipeline; ++p.stage) add(p);
      break;
    case Axis::kToHost:
    case Axis::kToDevice:
    case Axis::kCpu:
    case Axis::kDisk:
      break;
    case Axis::kExpert:
    case Axis::kExpertTensor:
    case Axis::kExpertData:
    case Axis::kExpertShard:
    case Axis::kExpertReplicate:
    case Axis::kExpertModel:
      return ExpertGroupOf(rank, axis);
  }
  return group;
}

void RankGrid::FillGroups(const std::vector<Axis>& axes,
                          sim::Program* program) const {
  const auto ranks = static_cast<size_t>(split_.ranks());
  program->groups.assign(ranks * axes.size(), sim::kNoGroup);
  for (const Axis axis : axes) {
    program->axes.Append(std::string(models::NameOf(axis)));
  }
  // A group is known by its kind and its first two members: no two groups of a
  // kind share both. A channel is met as "out" by its sender and as "in" by its
  // receiver: one group. Every other axis has groups of its own.
  std::map<std::pair<Axis, std::pair<int, int>>, sim::GroupId> known;
  for (size_t rank = 0; rank < ranks; ++rank) {
    for (size_t column = 0; column < axes.size(); ++column) {
      sim::GroupId& cell = program->groups[rank * axes.size() + column];
      if (cell != sim::kNoGroup) continue;
      const std::vector<int> group =
          GroupOf(static_cast<int64_t>(rank), axes[column]);
      if (group.size() < 2) continue;
      const auto [it, fresh] = known.try_emplace(
          {models::ReceivingEnd(axes[column]), {group[0], group[1]}}, sim::GroupId{});
      if (fresh) {
        std::vector<sim::RankId> members;
        members.reserve(group.size());
        for (const int member : group) {
          members.push_back(
              sim::AsId<sim::RankId>(static_cast<size_t>(member)));
        }
        it->second = program->members.Append(members);
        // Spare the other members of a symmetric group the search.
        if (!models::Sends(axes[column]) && !models::Receives(axes[column])) {
          for (const int member : group) {
            program
                ->groups[static_cast<size_t>(member) * axes.size() + column] =
                it->second;
          }
        }
      }
      cell = it->second;
    }
  }
}

}  // namespace hardware
