#include "sim/fold.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace sim {
namespace {

// A number for each distinct row of words, in the order they first come.
// The words must outlive it.
class Numbering {
 public:
  uint32_t operator()(std::span<const uint32_t> row) {
    const absl::string_view bytes(reinterpret_cast<const char*>(row.data()),
                                  row.size_bytes());
    const auto next = static_cast<uint32_t>(numbers_.size());
    return numbers_.emplace(bytes, next).first->second;
  }
  size_t size() const { return numbers_.size(); }

 private:
  absl::flat_hash_map<absl::string_view, uint32_t> numbers_;
};

// A partition of ranks and of groups into classes, made finer step by step.
class Partition {
 public:
  explicit Partition(const Program& program)
      : program_(program),
        ranks_(program.script.size()),
        axes_(program.axes.size()),
        rank_class_(ranks_),
        group_class_(program.members.size()),
        seats_begin_(program.members.size() + 1) {
    std::vector<uint32_t> scripts(ranks_);
    for (size_t rank = 0; rank < ranks_; ++rank) {
      const auto script = Row(program.script[AsId<RankId>(rank)]);
      scripts[rank] = static_cast<uint32_t>(script);
    }
    NumberRanks(scripts, 1);
    for (const GroupId group : program.groups) {
      if (group != kNoGroup) ++seats_begin_[Row(group) + 1];
    }
    for (size_t row = 0; row + 1 < seats_begin_.size(); ++row) {
      seats_begin_[row + 1] += seats_begin_[row];
    }
    while (Refine()) {
    }
  }

  size_t classes() const { return classes_; }
  uint32_t operator[](RankId rank) const { return rank_class_[Row(rank)]; }
  uint32_t operator[](GroupId group) const { return group_class_[Row(group)]; }

 private:
  // Classes are numbered by their lowest rank.
  void NumberRanks(std::span<const uint32_t> words, size_t words_per_rank) {
    Numbering numbering;
    for (size_t rank = 0; rank < ranks_; ++rank) {
      rank_class_[rank] =
          numbering(words.subspan(rank * words_per_rank, words_per_rank));
    }
    classes_ = numbering.size();
  }

  // Groups are of one class if as many ranks of each class meet there, on the
  // same axes.
  void NumberGroups() {
    std::vector<uint32_t> words(seats_begin_.back());
    std::vector<uint32_t> next(seats_begin_.begin(), seats_begin_.end() - 1);
    for (size_t row = 0; row < program_.groups.size(); ++row) {
      const GroupId group = program_.groups[row];
      if (group == kNoGroup) continue;
      words[next[Row(group)]++] =
          static_cast<uint32_t>(rank_class_[row / axes_] * axes_ + row % axes_);
    }
    Numbering numbering;
    for (size_t row = 0; row < group_class_.size(); ++row) {
      const std::span<uint32_t> seats = std::span(words).subspan(
          seats_begin_[row], seats_begin_[row + 1] - seats_begin_[row]);
      std::ranges::sort(seats);
      group_class_[row] = numbering(seats);
    }
  }

  // Splits classes whose ranks meet groups of different classes. True if it
  // split one.
  bool Refine() {
    NumberGroups();
    std::vector<uint32_t> words;
    words.reserve(ranks_ * (axes_ + 1));
    for (size_t rank = 0; rank < ranks_; ++rank) {
      words.push_back(rank_class_[rank]);
      for (size_t axis = 0; axis < axes_; ++axis) {
        const GroupId group = program_.groups[rank * axes_ + axis];
        words.push_back(group == kNoGroup ? 0 : group_class_[Row(group)] + 1);
      }
    }
    const size_t before = classes_;
    NumberRanks(words, axes_ + 1);
    return classes_ > before;
  }

  const Program& program_;
  const size_t ranks_, axes_;
  size_t classes_ = 0;
  std::vector<uint32_t> rank_class_, group_class_;
  std::vector<uint32_t> seats_begin_;  // of each group, and the end
};

// The groups of the representatives, their members folded.
void FoldGroups(const Program& program, const Partition& partition,
                Folding& folding) {
  std::vector<GroupId> folded(program.members.size(), kNoGroup);  // by class
  for (const RankId rank : folding.representative) {
    for (size_t axis = 0; axis < program.axes.size(); ++axis) {
      const GroupId group = program.group(rank, AsId<AxisId>(axis));
      if (group == kNoGroup) {
        folding.program.groups.push_back(kNoGroup);
        continue;
      }
      GroupId& id = folded[partition[group]];
      if (id == kNoGroup) {
        std::vector<RankId> members;
        for (const RankId member : program.members[group]) {
          members.push_back(folding.folded[member]);
        }
        id = folding.program.members.Append(members);
      }
      folding.program.groups.push_back(id);
    }
  }
}

}  // namespace

Folding Fold(const Program& program) {
  const Partition partition(program);
  Folding folding;
  folding.multiplicity = Column<RankId, uint32_t>(partition.classes());
  for (size_t row = 0; row < program.script.size(); ++row) {
    const RankId rank = AsId<RankId>(row);
    const RankId folded{partition[rank]};
    folding.folded.Append(folded);
    ++folding.multiplicity[folded];
    if (Row(folded) < folding.representative.size()) continue;
    folding.representative.Append(rank);
    folding.program.script.Append(program.script[rank]);
  }
  folding.program.lanes = program.lanes;
  folding.program.axes = program.axes;
  folding.program.labels = program.labels;
  folding.program.holders = program.holders;
  folding.program.links = program.links;
  folding.program.uses = program.uses;
  folding.program.scripts = program.scripts;
  FoldGroups(program, partition, folding);
  return folding;
}

}  // namespace sim
