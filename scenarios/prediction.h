// One row of a measured table, priced: what `orrery validate` prints and
// summarises.
//
//   Prediction p{.row = 2, .id = "h100 bf16 4096x4096x4096", .group = "h100",
//                .metric = "time_us", .measured = 178.4, .predicted = 181.0};
//   RelativeError(p);  // +0.0146: the prediction is 1.5 % long
//
// To score another table: write a function from its path to a vector of these
// (scenarios/validate_ops.h is one) and name it where `orrery validate`
// dispatches on the table's columns.
#ifndef SCENARIOS_PREDICTION_H_
#define SCENARIOS_PREDICTION_H_

#include <cstdint>
#include <string>

namespace scenarios {

enum class PredictionStatus : uint8_t {
  kOk,       // measured and predicted both stand
  kSkipped,  // the row cannot be predicted; `reason` says why
};

struct Prediction {
  int64_t row = 0;    // of the table's data: the first below the header is 1
  std::string id;     // what was measured, in words
  std::string group;  // rows summarised together: GPU, dtype, source, ...
  std::string family = {};  // of kernels or algorithms: "fp8 vllm"; or empty
  // The headline is the mean over sources of each source's figure; rows that
  // are not scored are predicted but left out of every figure.
  std::string source = {};
  bool scored = true;
  // Rows of one series differ only in how the work is split, so that a choice
  // among them can be judged (ranking.h); empty: of no series.
  std::string series = {};
  // A second figure of its run, such as its peak of memory: has a group of its
  // own and no part in the headline.
  bool secondary = false;
  std::string metric;    // the measured column, with its unit: "time_us"
  double measured = 0;   // > 0
  double predicted = 0;  // > 0 when ok, in the unit of `metric`
  PredictionStatus status = PredictionStatus::kOk;
  std::string reason = {};  // empty when ok
};

// (predicted - measured) / measured. REQUIRES: p.status == kOk.
inline double RelativeError(const Prediction& p) {
  return (p.predicted - p.measured) / p.measured;
}

}  // namespace scenarios

#endif  // SCENARIOS_PREDICTION_H_
