#include "nlohmann/json.hpp"
#include "scenarios/validation_report.h"

namespace scenarios {
namespace {

using Json = nlohmann::ordered_json;

Json JsonOf(const ErrorSummary& s) {
  return {{"group", s.group},
          {"rows", s.rows},
          {"modelled", s.modelled},
          {"median_error", s.median_error},
          {"mean_error", s.mean_error},
          {"p90_error", s.p90_error},
          {"bias", s.bias}};
}

Json JsonOf(const Prediction& p) {
  const bool ok = p.status == PredictionStatus::kOk;
  Json row = {{"row", p.row},
              {"id", p.id},
              {"group", p.group},
              {"family", p.family},
              {"source", p.source},
              {"scored", p.scored},
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
  Json json = {{"headline", JsonOf(Headline(rows))},
               {"groups", Json::array()},
               {"rows", Json::array()}};
  for (const ErrorSummary& s : SummariseGroups(rows)) {
    json["groups"].push_back(JsonOf(s));
  }
  for (const Prediction& p : rows) json["rows"].push_back(JsonOf(p));
  return json.dump(1) + "\n";
}

}  // namespace scenarios
