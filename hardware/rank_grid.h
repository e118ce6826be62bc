// Where each rank stands in a split, and which ranks it meets on each axis.
//
//   RankGrid grid({.tensor = 8, .pipeline = 2, .data = 4});  // 64 ranks
//   grid.Place(RankId{9});   // tp 1, cp 0, dp 1, pp 0
//   grid.GroupOf(RankId{9}, Axis::kTensor);  // 8 … 15
//
// Ranks are numbered tp fastest, then cp, dp, pp: tensor-parallel ranks are
// neighbours on NVLink, pipeline stages are far apart.
#ifndef HARDWARE_RANK_GRID_H_
#define HARDWARE_RANK_GRID_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "models/op.h"
#include "models/training.h"
#include "sim/program.h"

namespace hardware {

struct RankPlace {
  int64_t tensor = 0, context = 0, data = 0, stage = 0;
};

// The same rank by the experts it holds: which part of them, which experts, and
// which copy.
struct ExpertPlace {
  int64_t tensor = 0, expert = 0, copy = 0;
};

class RankGrid {
 public:
  explicit RankGrid(const models::Split& split);

  int64_t ranks() const { return split_.ranks(); }
  // Ranks of one pipeline stage, which are numbered one after another.
  int64_t StageRanks() const { return split_.ranks() / split_.pipeline; }
  int64_t expert_ranks() const { return split_.expert; }
  RankPlace Place(int64_t rank) const;
  int64_t RankAt(const RankPlace& place) const;
  // Within a stage, ranks are numbered expert tensor fastest, then expert, then
  // copy (Megatron-Core, parallel_state.py: order tp-ep-dp of the experts).
  ExpertPlace ExpertPlaceOf(int64_t rank) const;

  // The members of `rank`'s group on `axis`, by position; empty if it has none
  // (a stage without a neighbour, a split without that axis). On the eight
  // pipeline axes: the sender, then the receiver.
  std::vector<int> GroupOf(int64_t rank, models::Axis axis) const;

  // Fills members and groups of `program` for the given axes, which become its
  // axes 0, 1, … in that order.
  void FillGroups(const std::vector<models::Axis>& axes,
                  sim::Program* program) const;

 private:
  // The stage after (+1) or before (-1), or -1: a ring where stages hold
  // several chunks in turn, else a line.
  int64_t Neighbour(int64_t stage, int step) const;
  // The sender's stage and the receiver's on a channel of `stage`; -1: none.
  std::pair<int64_t, int64_t> Channel(int64_t stage, models::Axis axis) const;
  // The stage that holds copy `copy` of what `stage` holds.
  int64_t StageOfCopy(int64_t stage, int64_t copy) const;
  int64_t CopyOf(int64_t stage) const;

  // Of two replicas by number: whether they meet on one of ZeRO++'s axes.
  bool SharesPart(models::Axis axis, int64_t a, int64_t b) const;
  int64_t RankAt(const ExpertPlace& place, int64_t stage) const;
  std::vector<int> ExpertGroupOf(int64_t rank, models::Axis axis) const;

  models::Split split_;
  models::Placement placement_;
  int64_t copies_;              // of the model, on different stages
  int64_t shard_ranks_;         // ranks of one FSDP shard group
  int64_t expert_shard_ranks_;  // and of one of experts' copies
  int64_t near_ranks_;          // of a shard group, in one server
};

}  // namespace hardware

#endif  // HARDWARE_RANK_GRID_H_
