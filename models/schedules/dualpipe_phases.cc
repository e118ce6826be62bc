#include "models/schedules/dualpipe_phases.h"

namespace models {
namespace {

class Phases {
 public:
  explicit Phases(const DualPipeRank& rank)
      : n_(rank.ranks), r_(rank.rank), k_(rank.microbatches) {
    for (const int64_t c : {0, 1}) forward_[c] = backward_[c] = rank.first[c];
  }

  std::vector<Pass> Write() && {
    const int64_t behind = n_ - r_ - 1;
    Repeat(2 * behind, [&](int64_t) { Forward(0); });
    Repeat(r_ + 1, [&](int64_t) {
      Forward(0);
      Forward(1);
    });
    Repeat(behind, [&](int64_t) {
      InputGradient(1);
      WeightGradient();
      Forward(1);
    });
    Repeat(k_ - 2 * n_ + r_ + 1, [&](int64_t i) {
      Pair(0, 1, i > 0 || behind > 0);
      Pair(1, 0, true);
    });
    Repeat(behind, [&](int64_t) {
      Backward(1);
      Pair(1, 0, true);
    });
    // Passes 0 … 2r+1 of this phase; from r + 1 on they are split.
    Repeat(2 * (r_ + 1), [&](int64_t i) {
      const int64_t chunk = 1 - i % 2;
      i > r_ ? InputGradient(chunk) : Backward(chunk);
    });
    Repeat(behind, [&](int64_t) {
      WeightGradient();
      InputGradient(0);
    });
    Repeat(r_ + 1, [&](int64_t) { WeightGradient(); });
    return std::move(passes_);
  }

 private:
  template <class Body>
  static void Repeat(int64_t times, Body body) {
    for (int64_t i = 0; i < times; ++i) body(i);
  }

  void Forward(int64_t c) {
    passes_.push_back({.chunk = c, .microbatch = forward_[c]++});
  }
  void Backward(int64_t c) {
    passes_.push_back({.kind = PassKind::kBackward,
                       .chunk = c,
                       .microbatch = backward_[c]++});
  }
  void InputGradient(int64_t c) {
    owed_.push_back({.kind = PassKind::kWeightGradient,
                     .chunk = c,
                     .microbatch = backward_[c]});
    passes_.push_back({.kind = PassKind::kInputGradient,
                       .chunk = c,
                       .microbatch = backward_[c]++});
  }
  void WeightGradient() { passes_.push_back(owed_[made_++]); }

  void Pair(int64_t forward, int64_t backward, bool overlap) {
    Forward(forward);
    passes_.back().with_next = overlap;
    Backward(backward);
  }

  int64_t n_, r_, k_;
  int64_t forward_[2], backward_[2];  // next microbatch of each chunk
  std::vector<Pass> passes_, owed_;   // owed weight gradients, in order
  size_t made_ = 0;                   // of these
};

}  // namespace

std::vector<Pass> DualPipePasses(const DualPipeRank& rank) {
  return Phases(rank).Write();
}

}  // namespace models
