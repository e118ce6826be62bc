#include "scenarios/validate_ops.h"

#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "sim/units.h"

namespace scenarios {
namespace {

using hardware::CostModel;

void Price(const absl::StatusOr<CostModel>& model, const MeasuredOp& op,
           Prediction& prediction) {
  prediction.reason = op.skipped;
  if (prediction.reason.empty() && !model.ok()) {
    prediction.reason = std::string(model.status().message());
  }
  if (prediction.reason.empty()) {
    const absl::StatusOr<double> us = PriceUs(*model, op);
    if (us.ok()) {
      prediction.predicted = *us;
      return;
    }
    prediction.reason = std::string(us.status().message());
  }
  prediction.status = PredictionStatus::kSkipped;
}

}  // namespace

absl::StatusOr<double> PriceUs(const CostModel& model, const MeasuredOp& op) {
  sim::Duration time;
  for (const models::Kernel& kernel : op.kernels) {
    const absl::Status runs = model.Check(kernel);
    if (!runs.ok()) return runs;
    time += model.Of(kernel, op.l2).time;
  }
  return op.overhead_us + sim::InMicroseconds(time);
}

absl::StatusOr<std::vector<Prediction>> PredictOps(const sim::CsvFile& csv) {
  const absl::StatusOr<std::vector<MeasuredOp>> ops = ReadOps(csv);
  if (!ops.ok()) return ops.status();
  absl::btree_map<std::string, absl::StatusOr<CostModel>> machines;
  std::vector<Prediction> predictions;
  for (const MeasuredOp& op : *ops) {
    auto machine = machines.find(op.gpu);
    if (machine == machines.end()) {
      machine = machines.emplace(op.gpu, CostModel::Load(op.gpu)).first;
    }
    Prediction prediction{.row = op.row,
                          .id = op.id,
                          .group = op.group,
                          .family = op.family,
                          .source = op.source,
                          .scored = op.scored,
                          .metric = "time_us",
                          .measured = op.time_us};
    Price(machine->second, op, prediction);
    predictions.push_back(std::move(prediction));
  }
  return predictions;
}

}  // namespace scenarios
