// Fits constants of laws to measured rows, and says how far predictions of rows
// that were kept out are off.
//
//   FitProblem problem = …;      // 3,000 rows, and how to price them
//   Fitted gemm = *Fit(recipe, problem, calibration);  // changes calibration
//   gemm.kept_out.mean_error;    // 0.053
//
// The constants have the least mean |log(predicted / measured)|: a mean of
// relative errors that outliers do not rule, in which a recipe may let long
// kernels count more. Kept out: rows are dealt to five
// folds by layout, so that no weight shape or head layout is on both sides;
// each fold is predicted by constants fitted to the other four.
#ifndef TOOLS_CALIBRATE_FIT_H_
#define TOOLS_CALIBRATE_FIT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace google::protobuf {
class Message;
}

namespace tools {

namespace proto {
class Recipe;
}

struct FitRow {
  double measured = 0;  // > 0
  std::string family;   // whose errors are told apart
  std::string layout;   // what folds keep together
  std::string machine;  // that ran it
};

struct FitProblem {
  std::vector<FitRow> rows;
  // Predictions for the rows of those numbers, by those constants. Called from
  // several threads at once. Fails only on constants out of range.
  std::function<absl::StatusOr<std::vector<double>>(
      const google::protobuf::Message& constants, std::span<const size_t> rows)>
      price;
};

// Of predicted / measured - 1 over some rows.
struct FitError {
  std::string of;  // a family or a machine
  int64_t rows = 0;
  double mean_error = 0;     // mean of its size: MAPE
  double p90_error = 0;      // of its size
  double low = 0, high = 0;  // 10th and 90th percentile, with sign
};

struct FittedConstant {
  std::string path;
  double before = 0, after = 0;
};

struct Fitted {
  std::vector<FittedConstant> constants;
  FitError in_sample;
  FitError kept_out;               // cross-validated
  std::vector<FitError> families;  // cross-validated, in order of the name
  // Each machine predicted by constants fitted to the others; empty for one.
  std::vector<FitError> machines;
};

inline constexpr int kFolds = 5;

// Leaves the fitted constants, rounded to four digits, in `constants`. Fails on
// fewer layouts than folds, and on a path of the recipe that leads nowhere.
// REQUIRES: every row is priced by the start's constants.
absl::StatusOr<Fitted> Fit(const proto::Recipe& recipe,
                           const FitProblem& problem,
                           google::protobuf::Message& constants);

}  // namespace tools

#endif  // TOOLS_CALIBRATE_FIT_H_
