#include "scenarios/validation_report.h"

#include <algorithm>
#include <cmath>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "scenarios/ranking.h"
#include "sim/csv_file.h"

namespace scenarios {
namespace {

ErrorSummary Summarise(const std::string& group,
                       std::span<const Prediction* const> rows) {
  ErrorSummary summary{.group = group,
                       .rows = static_cast<int64_t>(rows.size())};
  std::vector<double> errors, sizes;
  for (const Prediction* row : rows) {
    if (row->status != PredictionStatus::kOk) continue;
    errors.push_back(RelativeError(*row));
    sizes.push_back(std::abs(errors.back()));
    summary.mean_error += sizes.back();
  }
  summary.modelled = static_cast<int64_t>(errors.size());
  if (errors.empty()) return summary;
  summary.mean_error /= static_cast<double>(errors.size());
  summary.median_error = Quantile(sizes, 0.5);
  summary.p90_error = Quantile(sizes, 0.9);
  summary.bias = Quantile(errors, 0.5);
  return summary;
}

struct Group {
  std::string name;
  std::vector<const Prediction*> rows;
};

enum class Figures : uint8_t { kAll, kPrimary };

// Scored rows by name, in the order names first appear.
template <class Name>
std::vector<Group> GroupBy(std::span<const Prediction> rows, Figures figures,
                           Name name) {
  std::vector<Group> groups;
  absl::btree_map<std::string, size_t> index;
  for (const Prediction& row : rows) {
    if (!row.scored) continue;
    if (figures == Figures::kPrimary && row.secondary) continue;
    const auto [at, added] = index.try_emplace(name(row), groups.size());
    if (added) groups.push_back({name(row), {}});
    groups[at->second].rows.push_back(&row);
  }
  return groups;
}

// Metrics of the primary figures, in the order they first appear.
std::vector<std::string> MetricsOf(std::span<const Prediction> rows) {
  std::vector<std::string> metrics;
  for (const Prediction& row : rows) {
    if (row.secondary || row.status == PredictionStatus::kSkipped) continue;
    if (std::find(metrics.begin(), metrics.end(), row.metric) ==
        metrics.end()) {
      metrics.push_back(row.metric);
    }
  }
  return metrics;
}

std::string Percent(double share) {
  return absl::StrFormat("%.1f %%", 100 * share);
}

std::string SummaryLine(const ErrorSummary& s) {
  if (s.modelled == 0) {
    return absl::StrFormat("%-44s %5d %5d\n", s.group, s.rows, s.modelled);
  }
  return absl::StrFormat("%-44s %5d %5d %9s %9s %9s %9s\n", s.group, s.rows,
                         s.modelled, Percent(s.median_error),
                         Percent(s.mean_error), Percent(s.p90_error),
                         absl::StrFormat("%+.1f %%", 100 * s.bias));
}

// Reasons of skipped rows and how many rows each holds back, most first.
std::string SkippedText(std::span<const Prediction> rows) {
  absl::btree_map<std::string, int> reasons;
  for (const Prediction& row : rows) {
    if (row.status == PredictionStatus::kSkipped) ++reasons[row.reason];
  }
  std::vector<std::pair<std::string, int>> sorted(reasons.begin(),
                                                  reasons.end());
  std::stable_sort(
      sorted.begin(), sorted.end(),
      [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string text;
  for (const auto& [reason, count] : sorted) {
    absl::StrAppendFormat(&text, "%5d skipped: %s\n", count, reason);
  }
  const int64_t unscored =
      std::count_if(rows.begin(), rows.end(),
                    [](const Prediction& row) { return !row.scored; });
  if (unscored > 0) {
    absl::StrAppendFormat(
        &text, "%5d not scored: the table calls them inexact or suspect\n",
        unscored);
  }
  return text.empty() ? text : text + "\n";
}

// The figures of all rows, and how much of them there is.
std::string HeadlineText(std::span<const Prediction> rows) {
  const ErrorSummary headline = Headline(rows);
  const std::string coverage = absl::StrFormat(
      "coverage: %s of the scored rows\n", Percent(headline.coverage()));
  if (MetricsOf(rows).size() > 1) {
    std::string text;
    for (const ErrorSummary& s : HeadlinesByMetric(rows)) text += SummaryLine(s);
    return text + coverage;
  }
  return absl::StrCat(SummaryLine(headline), SummaryLine(OverRows(rows)),
                      coverage);
}

constexpr size_t kWorst = 5;

// The scored rows that are farthest off, by the ratio, worst first.
std::string WorstText(std::span<const Prediction> rows) {
  std::vector<std::pair<double, const Prediction*>> worst;
  for (const Prediction& row : rows) {
    if (row.status != PredictionStatus::kOk || !row.scored) continue;
    worst.emplace_back(-std::abs(std::log(row.predicted / row.measured)), &row);
  }
  std::stable_sort(
      worst.begin(), worst.end(),
      [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string text = "\nworst rows\n";
  for (size_t i = 0; i < std::min(kWorst, worst.size()); ++i) {
    const Prediction& row = *worst[i].second;
    absl::StrAppendFormat(
        &text, "%6d  %s, %s: measured %.4g, predicted %.4g %s, %+.0f %%\n",
        row.row, row.group, row.id, row.measured, row.predicted, row.metric,
        100 * RelativeError(row));
  }
  return text;
}

}  // namespace

double Quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const double at = share * static_cast<double>(values.size() - 1);
  const size_t below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, values.size() - 1);
  const double part = at - static_cast<double>(below);
  return values[below] * (1 - part) + values[above] * part;
}

std::vector<ErrorSummary> SummariseGroups(std::span<const Prediction> rows) {
  std::vector<ErrorSummary> summaries;
  const bool several = MetricsOf(rows).size() > 1;
  const auto group = [&](const Prediction& p) {
    return several && !p.secondary ? absl::StrCat(p.metric, " ", p.group)
                                   : p.group;
  };
  for (const Group& g : GroupBy(rows, Figures::kAll, group)) {
    summaries.push_back(Summarise(g.name, g.rows));
  }
  return summaries;
}

ErrorSummary OverRows(std::span<const Prediction> rows) {
  const auto all = [](const Prediction&) { return std::string(); };
  const std::vector<Group> groups = GroupBy(rows, Figures::kPrimary, all);
  if (groups.empty()) return {.group = "over rows"};
  return Summarise("over rows", groups.front().rows);
}

ErrorSummary Headline(std::span<const Prediction> rows) {
  ErrorSummary mean{.group = "mean over sources"};
  int sources = 0;
  const auto source = [](const Prediction& p) { return p.source; };
  for (const Group& g : GroupBy(rows, Figures::kPrimary, source)) {
    const ErrorSummary s = Summarise(g.name, g.rows);
    mean.rows += s.rows;
    mean.modelled += s.modelled;
    if (s.modelled == 0) continue;
    ++sources;
    mean.median_error += s.median_error;
    mean.mean_error += s.mean_error;
    mean.p90_error += s.p90_error;
    mean.bias += s.bias;
  }
  for (double* figure :
       {&mean.median_error, &mean.mean_error, &mean.p90_error, &mean.bias}) {
    *figure /= std::max(sources, 1);
  }
  return mean;
}

std::vector<ErrorSummary> HeadlinesByMetric(std::span<const Prediction> rows) {
  std::vector<ErrorSummary> headlines;
  for (const std::string& metric : MetricsOf(rows)) {
    std::vector<Prediction> of_metric;
    for (const Prediction& row : rows) {
      if (row.metric == metric) of_metric.push_back(row);
    }
    headlines.push_back(Headline(of_metric));
    headlines.back().group = absl::StrCat(metric, ", mean over sources");
  }
  return headlines;
}

std::string ToCsv(std::span<const Prediction> rows) {
  const std::string header[] = {"row",       "run_id", "metric", "measured",
                                "predicted", "error",  "status", "reason"};
  std::string csv = sim::CsvLine(header);
  for (const Prediction& p : rows) {
    const bool ok = p.status == PredictionStatus::kOk;
    const std::string cells[] = {
        absl::StrCat(p.row),
        p.id,
        p.metric,
        p.measured > 0 ? absl::StrFormat("%.6g", p.measured) : "",
        ok ? absl::StrFormat("%.6g", p.predicted) : "",
        ok ? absl::StrFormat("%.4f", RelativeError(p)) : "",
        ok ? "ok" : "skipped",
        p.reason};
    csv += sim::CsvLine(cells);
  }
  return csv;
}

std::string ToText(std::span<const Prediction> rows, bool each_series) {
  std::string text = SkippedText(rows);
  absl::StrAppendFormat(&text, "%-44s %5s %5s %9s %9s %9s %9s\n", "group",
                        "rows", "ok", "median", "MAPE", "p90", "bias");
  for (const ErrorSummary& s : SummariseGroups(rows)) text += SummaryLine(s);
  absl::StrAppend(&text, "\n", HeadlineText(rows), WorstText(rows));
  const std::string ranking = RankingText(rows, each_series);
  return ranking.empty() ? text : absl::StrCat(text, "\n", ranking);
}

}  // namespace scenarios
