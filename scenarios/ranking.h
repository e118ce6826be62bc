// How well predictions order the ways to do the same work.
//
//   KendallTauB({1, 2, 3}, {10, 30, 20});  // 2 pairs agree, 1 does not: 0.333
//   SeriesRanking r = RankSeries(predictions).front();
//   r.tau;     // 0.91 over the rows of one series
//   r.regret;  // 0.02: the predicted best took 2 % longer than the best
//
// A series is named by Prediction::series: scenarios/table.proto says which
// rows of a table make one, Measured.series which runs of a suite.
#ifndef SCENARIOS_RANKING_H_
#define SCENARIOS_RANKING_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "scenarios/prediction.h"

namespace scenarios {

// Kendall's rank correlation with ties (tau-b): agreeing less disagreeing
// pairs, over the root of the product of the pairs not tied in `a` and those
// not tied in `b`. From -1 to 1; 0 where all of one side is tied.
// REQUIRES: the sizes are equal. Cost: O(n²).
double KendallTauB(std::span<const double> a, std::span<const double> b);

struct SeriesRanking {
  std::string source;
  std::string series = {};
  int64_t rows = 0;
  double tau = 0;
  // Measured time of the row predicted fastest over the least measured, less 1.
  // Of rows predicted alike the slowest counts.
  double regret = 0;
  // Over pairs of rows, the mean of how far the ratio of their predicted times
  // is from that of their measured ones: |p2/p1 / (m2/m1) - 1|.
  double ratio_error = 0;
  // Ids of the row that was, and of the one that was predicted, fastest.
  std::string best = {}, pick = {};
};

// One for each series of two or more rows that are scored and predicted, in the
// order series first appear.
std::vector<SeriesRanking> RankSeries(std::span<const Prediction> rows);

struct RankingSummary {
  std::string group;
  int64_t series = 0, rows = 0;
  double mean_tau = 0, least_tau = 0;
  double median_regret = 0, mean_regret = 0, largest_regret = 0;
  double mean_ratio_error = 0;  // over pairs of rows of one series
};

// One for each source in the order they first appear, then one of all series if
// there are several sources. Empty if there is no series.
std::vector<RankingSummary> SummariseRanking(
    std::span<const SeriesRanking> rankings);

// For people: the summaries; with `each`, every series first.
std::string RankingText(std::span<const Prediction> rows, bool each);

}  // namespace scenarios

#endif  // SCENARIOS_RANKING_H_
