#include "nlohmann/json.hpp"
#include "scenarios/ranking.h"
#include "scenarios/validation_report.h"

namespace scenarios {
namespace {

using Json = nlohmann::ordered_json;

Json JsonOf(const ErrorSummary& s) {
  return {{"group", s.group},
          {"rows", s.rows},
          {"modelled", s.modelled},
          {"coverage", s.coverage()},
          {"median_error", s.median_error},
          {"mean_error", s.mean_error},
          {"p90_error", s.p90_error},
          {"bias", s.bias}};
}

Json JsonOf(const SeriesRanking& s) {
  return {{"source", s.source}, {"series", s.series}, {"rows", s.rows},
          {"tau", s.tau},       {"regret", s.regret}, {"ratio_error", s.ratio_error},
          {"best", s.best},
          {"pick", s.pick}};
}

Json JsonOf(const RankingSummary& s) {
  return {{"group", s.group},
          {"series", s.series},
          {"rows", s.rows},
          {"mean_tau", s.mean_tau},
          {"least_tau", s.least_tau},
          {"median_regret", s.median_regret},
          {"mean_regret", s.mean_regret},
          {"largest_regret", s.largest_regret},
          {"mean_ratio_error", s.mean_ratio_error}};
}

template <class Row>
Json ListOf(const std::vector<Row>& rows) {
  Json list = Json::array();
  for (const Row& row : rows) list.push_back(JsonOf(row));
  return list;
}

Json JsonOf(const Prediction& p) {
  const bool ok = p.status == PredictionStatus::kOk;
  Json row = {{"row", p.row},
              {"id", p.id},
              {"group", p.group},
              {"family", p.family},
              {"source", p.source},
              {"scored", p.scored},
              {"series", p.series},
              {"secondary", p.secondary},
              {"metric", p.metric},
              {"measured", p.measured},
              {"ok", ok}};
  if (ok) {
    row["predicted"] = p.predicted;
    row["error"] = RelativeError(p);
  } else {
    row["reason"] = p.reason;
  }
  return row;
}

}  // namespace

std::string ToJson(std::span<const Prediction> rows) {
  const std::vector<SeriesRanking> series = RankSeries(rows);
  Json json = {{"headline", JsonOf(Headline(rows))},
               {"over_rows", JsonOf(OverRows(rows))},
               {"metrics", ListOf(HeadlinesByMetric(rows))},
               {"groups", ListOf(SummariseGroups(rows))},
               {"ranking",
                {{"summaries", ListOf(SummariseRanking(series))},
                 {"series", ListOf(series)}}},
               {"rows", Json::array()}};
  for (const Prediction& p : rows) json["rows"].push_back(JsonOf(p));
  return json.dump(1) + "\n";
}

}  // namespace scenarios
