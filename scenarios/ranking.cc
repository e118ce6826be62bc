#include "scenarios/ranking.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/str_format.h"
#include "scenarios/validation_report.h"

namespace scenarios {
namespace {

int Sign(double x) { return (x > 0) - (x < 0); }

int64_t PairsOf(const SeriesRanking& ranking) {
  return ranking.rows * (ranking.rows - 1) / 2;
}

SeriesRanking RankingOf(std::span<const Prediction* const> rows) {
  SeriesRanking ranking{.source = rows[0]->source,
                        .series = rows[0]->series,
                        .rows = static_cast<int64_t>(rows.size())};
  std::vector<double> measured, predicted;
  const Prediction* best = rows[0];
  const Prediction* pick = rows[0];
  for (const Prediction* row : rows) {
    measured.push_back(row->measured);
    predicted.push_back(row->predicted);
    if (row->measured < best->measured) best = row;
    const bool slower_tie = row->predicted == pick->predicted &&
                            row->measured > pick->measured;
    if (row->predicted < pick->predicted || slower_tie) pick = row;
  }
  ranking.tau = KendallTauB(measured, predicted);
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const double ratio = predicted[i] / predicted[j];
      ranking.ratio_error +=
          std::abs(ratio / (measured[i] / measured[j]) - 1) /
          static_cast<double>(PairsOf(ranking));
    }
  }
  ranking.regret = pick->measured / best->measured - 1;
  ranking.best = best->id;
  ranking.pick = pick->id;
  return ranking;
}

RankingSummary SummaryOf(const std::string& group,
                         std::span<const SeriesRanking* const> rankings) {
  RankingSummary summary{.group = group,
                         .series = static_cast<int64_t>(rankings.size()),
                         .least_tau = 1};
  std::vector<double> regrets;
  int64_t pairs = 0;
  for (const SeriesRanking* r : rankings) {
    summary.rows += r->rows;
    summary.mean_tau += r->tau;
    summary.least_tau = std::min(summary.least_tau, r->tau);
    summary.mean_regret += r->regret;
    regrets.push_back(r->regret);
    pairs += PairsOf(*r);
    summary.mean_ratio_error +=
        r->ratio_error * static_cast<double>(PairsOf(*r));
  }
  const auto count = static_cast<double>(rankings.size());
  summary.mean_tau /= count;
  summary.mean_regret /= count;
  summary.mean_ratio_error /= static_cast<double>(pairs);
  summary.median_regret = Quantile(regrets, 0.5);
  summary.largest_regret = Quantile(regrets, 1);
  return summary;
}

std::string Percent(double share) {
  return absl::StrFormat("%.1f %%", 100 * share);
}

}  // namespace

double KendallTauB(std::span<const double> a, std::span<const double> b) {
  assert(a.size() == b.size());
  int64_t agree = 0, untied_a = 0, untied_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const int in_a = Sign(a[i] - a[j]), in_b = Sign(b[i] - b[j]);
      agree += in_a * in_b;
      untied_a += in_a != 0;
      untied_b += in_b != 0;
    }
  }
  if (untied_a == 0 || untied_b == 0) return 0;
  return static_cast<double>(agree) /
         std::sqrt(static_cast<double>(untied_a) *
                   static_cast<double>(untied_b));
}

std::vector<SeriesRanking> RankSeries(std::span<const Prediction> rows) {
  std::vector<std::vector<const Prediction*>> series;
  absl::btree_map<std::pair<std::string, std::string>, size_t> index;
  for (const Prediction& row : rows) {
    if (row.series.empty() || row.secondary || !row.scored ||
        row.status != PredictionStatus::kOk) {
      continue;
    }
    const auto [at, added] =
        index.try_emplace({row.source, row.series}, series.size());
    if (added) series.emplace_back();
    series[at->second].push_back(&row);
  }
  std::vector<SeriesRanking> rankings;
  for (const auto& members : series) {
    if (members.size() > 1) rankings.push_back(RankingOf(members));
  }
  return rankings;
}

std::vector<RankingSummary> SummariseRanking(
    std::span<const SeriesRanking> rankings) {
  std::vector<std::string> sources;
  std::vector<const SeriesRanking*> all;
  absl::btree_map<std::string, std::vector<const SeriesRanking*>> of_source;
  for (const SeriesRanking& r : rankings) {
    auto& members = of_source[r.source];
    if (members.empty()) sources.push_back(r.source);
    members.push_back(&r);
    all.push_back(&r);
  }
  std::vector<RankingSummary> summaries;
  for (const std::string& source : sources) {
    summaries.push_back(SummaryOf(source, of_source[source]));
  }
  if (sources.size() > 1) summaries.push_back(SummaryOf("all series", all));
  return summaries;
}

std::string RankingText(std::span<const Prediction> rows, bool each) {
  const std::vector<SeriesRanking> rankings = RankSeries(rows);
  if (rankings.empty()) return "";
  std::string text;
  if (each) {
    absl::StrAppendFormat(&text, "%5s %7s %8s %8s  %s\n", "rows", "tau",
                          "regret", "ratios",
                          "series, the fastest and the one predicted fastest");
  }
  for (const SeriesRanking& r : rankings) {
    if (!each) break;
    const std::string picked =
        r.pick == r.best ? r.best + ", which was picked"
                         : absl::StrFormat("%s; picked %s", r.best, r.pick);
    absl::StrAppendFormat(&text, "%5d %7.3f %8s %8s  %s: %s\n", r.rows, r.tau,
                          Percent(r.regret), Percent(r.ratio_error), r.series,
                          picked);
  }
  absl::StrAppendFormat(&text, "%s%-36s %6s %5s %9s %9s %9s %9s %9s %9s\n",
                        each ? "\n" : "", "order within series", "series",
                        "rows", "mean tau", "least", "median", "mean regret",
                        "largest", "ratios");
  for (const RankingSummary& s : SummariseRanking(rankings)) {
    absl::StrAppendFormat(&text, "%-36s %6d %5d %9.3f %9.3f %9s %11s %9s %9s\n",
                          s.group, s.series, s.rows, s.mean_tau, s.least_tau,
                          Percent(s.median_regret), Percent(s.mean_regret),
                          Percent(s.largest_regret),
                          Percent(s.mean_ratio_error));
  }
  return text;
}

}  // namespace scenarios
