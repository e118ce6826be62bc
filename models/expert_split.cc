#include "models/expert_split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <span>

#include "models/expert_load.h"
#include "models/rank_shape.h"

namespace models {
namespace {

// `whole` in parts as `weights` are to each other, in whole numbers: each
// rounded down, and one more for those that lost most, the first of equals.
// None gets more than `most`; what is then left goes to the others in turn.
std::vector<int64_t> Apportion(int64_t whole,
                               std::span<const int64_t> weights,
                               int64_t most) {
  double sum = 0;
  for (const int64_t weight : weights) sum += static_cast<double>(weight);
  std::vector<int64_t> parts(weights.size());
  std::vector<double> lost(weights.size());
  int64_t left = whole;
  for (size_t i = 0; i < parts.size(); ++i) {
    const double exact = static_cast<double>(whole) *
                         static_cast<double>(weights[i]) / sum;
    parts[i] = std::min(most, static_cast<int64_t>(exact));
    lost[i] = exact - static_cast<double>(parts[i]);
    left -= parts[i];
  }
  std::vector<size_t> order(parts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return lost[a] > lost[b]; });
  while (left > 0) {
    const int64_t before = left;
    for (const size_t i : order) {
      if (left == 0 || parts[i] == most) continue;
      ++parts[i];
      --left;
    }
    if (left == before) break;
  }
  return parts;
}

}  // namespace

std::vector<int64_t> RoutedRows(const Experts& experts,
                                const TrainingSpec& training, int64_t tokens) {
  const ExpertOptions& options = training.experts;
  const int64_t choices = tokens * experts.top_k;
  switch (options.balance) {
    case ExpertBalance::kBalanced:
      break;
    case ExpertBalance::kPowerLaw:
      return PowerLawDraw({.tokens = tokens,
                           .experts = experts.count,
                           .top_k = experts.top_k,
                           .ranks = training.split.expert},
                          {.alpha = options.power_law_alpha}, 0);
    case ExpertBalance::kGiven:
      return Apportion(choices, options.histogram, tokens);
  }
  const std::vector<int64_t> alike(static_cast<size_t>(experts.count), 1);
  return Apportion(choices, alike, tokens);
}

ExpertSplit::ExpertSplit(const ModelSpec& model, const TrainingSpec& training) {
  const Split& split = training.split;
  of_rank_.assign(static_cast<size_t>(split.expert), 0);
  if (!model.experts) {
    parts_.push_back({.ranks = split.expert});
    return;
  }
  const Experts& experts = *model.experts;
  const ExpertOptions& options = training.experts;
  // Tokens of one rank, and ranks that share the experts.
  const RankShape shape(model, training);
  const int64_t own = shape.shard;
  const int64_t sharing = split.expert * split.parts_of_expert();
  routed_ = own * experts.top_k;
  std::vector<int64_t> load = RoutedRows(experts, training, own * sharing);
  if (options.drops()) {
    const auto capacity = static_cast<int64_t>(
        std::ceil(static_cast<double>(own * experts.top_k) /
                  static_cast<double>(experts.count) *
                  options.capacity_factor));
    for (int64_t& rows : load) {
      const int64_t most = capacity * sharing;
      rows = options.pad_to_capacity ? most : std::min(rows, most);
    }
  }
  const int64_t total = std::accumulate(load.begin(), load.end(), int64_t{0});
  sent_ = (total + sharing - 1) / sharing;
  const int64_t held = experts.count / split.expert;
  std::map<std::vector<int64_t>, size_t> known;
  for (int64_t rank = 0; rank < split.expert; ++rank) {
    const auto own_load = std::span(load).subspan(
        static_cast<size_t>(rank * held), static_cast<size_t>(held));
    std::vector<int64_t> sorted(own_load.begin(), own_load.end());
    std::sort(sorted.begin(), sorted.end());
    const auto [it, fresh] = known.try_emplace(sorted, parts_.size());
    if (fresh) {
      const int64_t rows =
          std::accumulate(sorted.begin(), sorted.end(), int64_t{0});
      const int64_t parts = split.parts_of_expert();
      parts_.push_back({.rows = RowsOf(sorted),
                        .computed = rows,
                        .received = (rows + parts - 1) / parts});
    }
    of_rank_[static_cast<size_t>(rank)] = it->second;
    ++parts_[it->second].ranks;
  }
}

}  // namespace models
