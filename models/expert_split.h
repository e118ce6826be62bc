// What each rank of an expert-parallel group computes and receives: the tokens
// that the router sends to its experts.
//
//   ExpertSplit split(mixtral, training);  // EP 8, 4096 tokens a rank, top 2
//   split.parts();    // 1: balanced, so all ranks are alike
//   split.part(0).rows.rows;  // 8192
//   split.PartOf(5);  // 0
//
// Ranks of a group differ only where the load does: ranks with the same rows on
// their experts are one part, whose graphs are built once.
#ifndef MODELS_EXPERT_SPLIT_H_
#define MODELS_EXPERT_SPLIT_H_

#include <cstdint>
#include <vector>

#include "models/expert_kernels.h"
#include "models/model_spec.h"
#include "models/training.h"

namespace models {

// Of one microbatch and one layer.
struct ExpertPart {
  ExpertRows rows = {};  // on the rank's experts, of all ranks of the group
  int64_t computed = 0;  // the sum of them
  // Of these, what comes to one of the ranks that divide the same experts
  // before they share it.
  int64_t received = 0;
  int64_t ranks = 0;  // of the group that are like this
};

class ExpertSplit {
 public:
  // Without experts: one part without rows. REQUIRES: expert divides the
  // experts, and a histogram has a number for each.
  ExpertSplit(const ModelSpec& model, const TrainingSpec& training);

  size_t parts() const { return parts_.size(); }
  const ExpertPart& part(size_t part) const { return parts_[part]; }
  // Of a rank by its position in the expert-parallel group.
  size_t PartOf(int64_t expert_rank) const {
    return of_rank_[static_cast<size_t>(expert_rank)];
  }
  // Rows that one rank sends: a token once to each of its experts, less what
  // they drop, or what they are padded to.
  int64_t sent() const { return sent_; }
  // The same before any is dropped or added.
  int64_t routed() const { return routed_; }

 private:
  std::vector<ExpertPart> parts_;
  std::vector<size_t> of_rank_;
  int64_t sent_ = 0, routed_ = 0;
};

// Rows on each expert of all `tokens` tokens of a group, before anything is
// dropped; they sum to tokens · top_k.
std::vector<int64_t> RoutedRows(const Experts& experts,
                                const TrainingSpec& training, int64_t tokens);

}  // namespace models

#endif  // MODELS_EXPERT_SPLIT_H_
