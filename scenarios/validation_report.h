// What predictions say of the simulator: a file of every row, and error by
// group.
//
//   ToCsv(predictions);  // row,run_id,metric,measured,predicted,error,…
//   SummaryOf(group).median_error;  // 0.08: half the rows are within 8 %
//
// error = predicted / measured - 1; "error" alone in a summary is its size.
#ifndef SCENARIOS_VALIDATION_REPORT_H_
#define SCENARIOS_VALIDATION_REPORT_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "scenarios/prediction.h"

namespace scenarios {

// The value below which `share` of `values` lie, between two of them by their
// distances. REQUIRES: not empty; 0 <= share <= 1.
double Quantile(std::vector<double> values, double share);

// Of the modelled rows among `rows`; quantiles interpolate linearly.
struct ErrorSummary {
  std::string group;
  int64_t rows = 0;
  int64_t modelled = 0;
  double median_error = 0;  // of |error|
  double mean_error = 0;    // of |error|: MAPE
  double p90_error = 0;     // of |error|
  double bias = 0;          // median of error, with its sign

  double coverage() const {  // share of the rows that are modelled
    return rows > 0
               ? static_cast<double>(modelled) / static_cast<double>(rows)
               : 0;
  }
};

// One summary per group of scored rows, in the order groups first appear.
// Secondary figures have groups of their own.
std::vector<ErrorSummary> SummariseGroups(std::span<const Prediction> rows);

// The mean over sources of each source's figure, over scored rows; `rows` and
// `modelled` are sums. Sources without a modelled row count only in `rows`.
ErrorSummary Headline(std::span<const Prediction> rows);

// One such mean for each metric, where rows have several: a serving run's
// throughput and latencies.
std::vector<ErrorSummary> HeadlinesByMetric(std::span<const Prediction> rows);

// Of all scored rows alike, whatever their source.
ErrorSummary OverRows(std::span<const Prediction> rows);

// Columns row, run_id, metric, measured, predicted, error, status (ok |
// skipped), reason; one line per prediction, in their order.
std::string ToCsv(std::span<const Prediction> rows);

// For people: why rows were skipped, the groups, the headline, the worst rows,
// and how well series are ordered, with `each_series` one by one.
std::string ToText(std::span<const Prediction> rows, bool each_series = false);

// For programs: {"headline": {…}, "over_rows": {…}, "groups": [{…}],
// "ranking": {"summaries": [{…}], "series": [{…}]}, "rows": [{…}]} with the
// names of the structs' members; figures are shares, 0.05 for 5 %.
std::string ToJson(std::span<const Prediction> rows);

}  // namespace scenarios

#endif  // SCENARIOS_VALIDATION_REPORT_H_
