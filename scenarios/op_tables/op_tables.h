// Measured tables of operators: what each row ran, as kernels.
//
//   gpu,dtype,m,n,k,time_us,...,l2      absl::StatusOr<sim::CsvFile> table =
//   h100,bf16,4096,4096,4096,178.4,...      sim::CsvFile::Load("gemm.csv");
//   FindOpTable(*table)->name;          // "gemm", by its columns
//   ReadOps(*table)->at(0).kernels;     // {Gemm{.m = 4096, …}}
//
// To add a table: write <name>.cc here with a function from one of its rows to
// a MeasuredOp, declare it below, and name it in op_tables.cc with the columns
// that tell the table apart.
#ifndef SCENARIOS_OP_TABLES_OP_TABLES_H_
#define SCENARIOS_OP_TABLES_OP_TABLES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hardware/price.h"
#include "models/op.h"
#include "scenarios/op_tables/op_row.h"
#include "sim/csv_file.h"

namespace scenarios {

// What one row measured: kernels that ran one after another.
struct MeasuredOp {
  std::string id;      // in words: "bf16 4096x4096x4096"
  std::string family;  // whose residuals belong together: "bf16", "fp8 vllm"
  // What cross-validation keeps together: a weight's shape, a head layout, …
  std::string layout;
  std::vector<models::Kernel> kernels;
  hardware::L2 l2 = hardware::L2::kCold;
  double overhead_us = 0;    // that the measuring program adds
  std::string skipped = {};  // why it has no price; else empty

  // Of every table, filled in by ReadOps.
  int64_t row = 0;          // of the table's data, from 1
  std::string gpu = {};     // a name in hardware/gpus
  std::string group = {};   // GPU as the table spells it, and family
  std::string source = {};  // who measured
  double time_us = 0;       // > 0
  bool scored = true;       // else the clock was too coarse to say
};

struct OpTable {
  absl::string_view name;
  absl::string_view columns[3];  // that only this table has together, or
                                 // no table named before it
  MeasuredOp (*read)(OpRow& row);
};

// Which table this is, by its columns; null if it is none of them.
const OpTable* FindOpTable(const sim::CsvFile& csv);

// Every row, in order. A cell that is not what its column holds is an error,
// with its place. REQUIRES: FindOpTable(csv) != nullptr.
absl::StatusOr<std::vector<MeasuredOp>> ReadOps(const sim::CsvFile& csv);

// One row of each table. What the kernels do not fit in is an error of `row`.
MeasuredOp GemmOp(OpRow& row);
MeasuredOp AttentionPrefillOp(OpRow& row);
MeasuredOp AttentionDecodeOp(OpRow& row);
MeasuredOp PointwiseOp(OpRow& row);
MeasuredOp MoeOp(OpRow& row);

}  // namespace scenarios

#endif  // SCENARIOS_OP_TABLES_OP_TABLES_H_
