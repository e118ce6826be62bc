// Prices the rows of measured operator tables: GEMM, attention prefill and
// pointwise kernels.
//
//   gpu,dtype,m,n,k,time_us,...,l2      absl::StatusOr<sim::CsvFile> table =
//   h100,bf16,4096,4096,4096,178.4,...      sim::CsvFile::Load("gemm.csv");
//   OpTableOf(*table);                  // OpTable::kGemm, by its columns
//   PredictOps(*table)->at(0);          // measured 178.4, predicted 177.1
//
// To add a table: a row in validate_ops.cc's list of tables, with the columns
// that tell it apart, and a function from one of its rows to kernels.
#ifndef SCENARIOS_VALIDATE_OPS_H_
#define SCENARIOS_VALIDATE_OPS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "scenarios/prediction.h"
#include "sim/csv_file.h"

namespace scenarios {

enum class OpTable : uint8_t { kGemm, kAttentionPrefill, kPointwise };

// Which table this is, by its columns; nothing if it is none of them.
std::optional<OpTable> OpTableOf(const sim::CsvFile& table);

// A prediction for each row, in order. Rows that no law covers are skipped with
// a reason; a cell that is not what its column holds is an error, with its
// place. REQUIRES: OpTableOf(table).
absl::StatusOr<std::vector<Prediction>> PredictOps(const sim::CsvFile& table);

}  // namespace scenarios

#endif  // SCENARIOS_VALIDATE_OPS_H_
