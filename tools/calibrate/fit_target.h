// What a fit refines: the constants of one file, and the rows they price.
//
//   FitTarget ops = *OpsTarget(question, tables);  // hopper, from gemm.csv
//   FitProblem problem = ops.problem(recipe);      // rows of that recipe
//   Fit(recipe, problem, *ops.constants);
//
// To make another file of constants fittable: write a function like those below
// and name it in fit_tables.cc with the tables it takes.
#ifndef TOOLS_CALIBRATE_FIT_TARGET_H_
#define TOOLS_CALIBRATE_FIT_TARGET_H_

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "sim/csv_file.h"
#include "tools/calibrate/fit.h"
#include "tools/calibrate/fit_tables.h"

namespace tools {

struct FitTarget {
  std::string name;  // of the constants that are refined: "hopper"
  std::unique_ptr<google::protobuf::Message> constants;
  // The rows that a recipe takes and the constants price, maybe none.
  std::function<FitProblem(const proto::Recipe&)> problem;
};

// Whether a recipe's list of families names this one; an empty list names all.
bool Named(const google::protobuf::RepeatedPtrField<std::string>& names,
           const std::string& name);

// Kernels: hardware/calibration/<architecture>.textproto.
absl::StatusOr<FitTarget> OpsTarget(const FitQuestion& question,
                                    std::span<const sim::CsvFile> tables);

}  // namespace tools

#endif  // TOOLS_CALIBRATE_FIT_TARGET_H_
