// Prices the rows of measured operator tables (op_tables/op_tables.h).
//
//   gpu,dtype,m,n,k,time_us,...,l2      absl::StatusOr<sim::CsvFile> table =
//   h100,bf16,4096,4096,4096,178.4,...      sim::CsvFile::Load("gemm.csv");
//   PredictOps(*table)->at(0);          // measured 178.4, predicted 177.1
#ifndef SCENARIOS_VALIDATE_OPS_H_
#define SCENARIOS_VALIDATE_OPS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "hardware/cost_model.h"
#include "scenarios/op_tables/op_tables.h"
#include "scenarios/prediction.h"
#include "sim/csv_file.h"

namespace scenarios {

// Microseconds of the kernels of `op`, one after another, on that machine.
// Fails, saying what the machine lacks, if it runs one of them not at all.
absl::StatusOr<double> PriceUs(const hardware::CostModel& model,
                               const MeasuredOp& op);

// A prediction for each row, in order. Rows that no law covers are skipped with
// a reason; a cell that is not what its column holds is an error, with its
// place. REQUIRES: FindOpTable(table) != nullptr.
absl::StatusOr<std::vector<Prediction>> PredictOps(const sim::CsvFile& table);

}  // namespace scenarios

#endif  // SCENARIOS_VALIDATE_OPS_H_
