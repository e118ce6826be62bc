#include "scenarios/ranking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "scenarios/table_rules.h"
#include "scenarios/validation_report.h"
#include "sim/csv_file.h"

namespace scenarios {
namespace {

double Tau(std::vector<double> a, std::vector<double> b) {
  return KendallTauB(a, b);
}

TEST(KendallTauB, CountsPairsInOrderLessPairsOutOfOrder) {
  EXPECT_EQ(Tau({1, 2, 3, 4}, {10, 20, 30, 40}), 1);
  EXPECT_EQ(Tau({1, 2, 3, 4}, {40, 30, 20, 10}), -1);
  // Of the pairs 12 13 14 23 24 34 one, 34, is out of order: (5 - 1) / 6.
  EXPECT_DOUBLE_EQ(Tau({1, 2, 3, 4}, {10, 20, 40, 30}), 4.0 / 6);
}

TEST(KendallTauB, TiesOnOneSideCountInTheOthersPairsOnly) {
  // 6 pairs; in b the pair 23 is tied, the others agree: 5 / sqrt(6 x 5).
  EXPECT_DOUBLE_EQ(Tau({1, 2, 3, 4}, {10, 20, 20, 40}), 5 / std::sqrt(30.0));
  // Tied on both sides alike: 5 / sqrt(5 x 5).
  EXPECT_DOUBLE_EQ(Tau({1, 2, 2, 4}, {10, 20, 20, 40}), 1);
  // All of b is tied: nothing is ordered.
  EXPECT_EQ(Tau({1, 2, 3}, {7, 7, 7}), 0);
  EXPECT_EQ(Tau({1}, {7}), 0);
}

Prediction Of(const std::string& id, const std::string& series, double measured,
              double predicted) {
  return {.id = id,
          .group = "lab",
          .source = "lab",
          .series = series,
          .metric = "step_seconds",
          .measured = measured,
          .predicted = predicted};
}

TEST(RankSeries, RegretIsWhatThePickTookOverTheBest) {
  const std::vector<Prediction> rows = {
      Of("a", "s", 1.0, 3), Of("b", "s", 1.1, 2), Of("c", "s", 2.0, 4),
      Of("d", "alone", 1, 1), Of("e", "", 1, 1)};
  const std::vector<SeriesRanking> series = RankSeries(rows);
  ASSERT_EQ(series.size(), 1u);  // a row alone, or of no series, ranks nothing
  EXPECT_EQ(series[0].rows, 3);
  EXPECT_EQ(series[0].best, "a");
  EXPECT_EQ(series[0].pick, "b");
  EXPECT_NEAR(series[0].regret, 0.1, 1e-12);
  EXPECT_NEAR(series[0].tau, 1.0 / 3, 1e-12);  // ac and bc agree, ab does not
}

TEST(RankSeries, OfRowsPredictedAlikeTheSlowestIsPicked) {
  const std::vector<Prediction> rows = {Of("a", "s", 1.0, 2),
                                        Of("b", "s", 1.5, 2)};
  EXPECT_NEAR(RankSeries(rows)[0].regret, 0.5, 1e-12);
}

TEST(RankSeries, LeavesOutRowsThatAreSkippedOrNotScored) {
  std::vector<Prediction> rows = {Of("a", "s", 1, 1), Of("b", "s", 2, 2),
                                  Of("c", "s", 0.1, 3), Of("d", "s", 0.1, 3)};
  rows[2].scored = false;
  rows[3].status = PredictionStatus::kSkipped;
  EXPECT_EQ(RankSeries(rows)[0].rows, 2);
  EXPECT_EQ(RankSeries(rows)[0].tau, 1);
}

TEST(SummariseRanking, IsByTheSourceThenOfAll) {
  std::vector<SeriesRanking> series = {
      {.source = "a", .series = "x", .rows = 3, .tau = 1, .regret = 0},
      {.source = "b", .series = "y", .rows = 4, .tau = 0.5, .regret = 0.1},
      {.source = "a", .series = "z", .rows = 2, .tau = 0, .regret = 0.02}};
  const std::vector<RankingSummary> s = SummariseRanking(series);
  ASSERT_EQ(s.size(), 3u);
  EXPECT_EQ(s[0].group, "a");
  EXPECT_EQ(s[0].series, 2);
  EXPECT_DOUBLE_EQ(s[0].mean_tau, 0.5);
  EXPECT_DOUBLE_EQ(s[0].median_regret, 0.01);
  EXPECT_EQ(s[2].group, "all series");
  EXPECT_EQ(s[2].rows, 9);
  EXPECT_DOUBLE_EQ(s[2].mean_tau, 0.5);
  EXPECT_DOUBLE_EQ(s[2].least_tau, 0);
  EXPECT_NEAR(s[2].mean_regret, 0.04, 1e-12);
  EXPECT_DOUBLE_EQ(s[2].largest_regret, 0.1);
}

TEST(RankingText, NamesThePickWhereItWasNotTheBest) {
  const std::vector<Prediction> rows = {Of("a", "hidden 8", 1.0, 3),
                                        Of("b", "hidden 8", 1.1, 2)};
  EXPECT_EQ(
      RankingText(rows, true),
      " rows     tau   regret   ratios  series, the fastest and the one "
      "predicted fastest\n"
      "    2  -1.000   10.0 %   39.4 %  hidden 8: a; picked b\n"
      "\n"
      "order within series                  series  rows  mean tau     least "
      "   median mean regret   largest    ratios\n"
      "lab                                       1     2    -1.000    -1.000 "
      "   10.0 %      10.0 %    10.0 %    39.4 %\n");
}

TEST(RankSeries, RatiosAreComparedPairByPair) {
  const std::vector<Prediction> rows = {
      Of("a", "s", 1.0, 2), Of("b", "s", 2.0, 4), Of("c", "s", 4.0, 10)};
  // b/a is 2 both ways, c/a 5 for 4, c/b 2.5 for 2: 25 % off twice.
  EXPECT_NEAR(RankSeries(rows)[0].ratio_error, 0.5 / 3, 1e-12);
}

TEST(TableSeries, AreRowsWithEqualCellsInTheColumnsTheRulesName) {
  const auto csv = sim::CsvFile::Parse(
      "v.csv",
      "run_id,cluster,n_gpus,hidden,layers,heads,seq_len,global_batch,tp,"
      "iteration_ms\n"
      "x,multi-node,16,1024,8,8,512,32,1,7\n"
      "y,multi-node,16,1024,8,8,512,32,2,8\n"
      "z,multi-node,16,2048,8,8,512,32,2,9\n");
  const TableRules rules = RulesFor(*csv).value();
  EXPECT_EQ(RowOf(rules, *csv, 0).series,
            "cluster multi-node, layers 8, hidden 1024, heads 8, seq_len 512, "
            "n_gpus 16, global_batch 32");
  EXPECT_EQ(RowOf(rules, *csv, 1).series, RowOf(rules, *csv, 0).series);
  EXPECT_NE(RowOf(rules, *csv, 2).series, RowOf(rules, *csv, 0).series);
}

}  // namespace
}  // namespace scenarios
