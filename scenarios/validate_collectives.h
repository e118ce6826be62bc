// Prices the rows of a table of measured collectives.
//
//   gpu,system,op,n_gpus,nodes,bytes,dtype,impl,time_us,...
//   h100,hgx-h100-8,all_reduce,8,1,67108864,fp16,nccl,322.9,...
//
//   sim::CsvFile table = *sim::CsvFile::Load("collectives.csv");
//   IsCollectiveTable(table);               // by its columns
//   PredictCollectives(table)->at(0);       // measured 322.9, predicted 323.8
//
// A row's group is alone on its machine: nobody shares its NICs. To add a
// machine: a row of kSystems in validate_collectives.cc.
#ifndef SCENARIOS_VALIDATE_COLLECTIVES_H_
#define SCENARIOS_VALIDATE_COLLECTIVES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "scenarios/prediction.h"
#include "sim/csv_file.h"

namespace scenarios {

bool IsCollectiveTable(const sim::CsvFile& table);

// A prediction of time_us for each row, in order. Rows that no law covers are
// skipped with a reason; a cell that is not what its column holds is an error,
// with its place. REQUIRES: IsCollectiveTable(table).
absl::StatusOr<std::vector<Prediction>> PredictCollectives(
    const sim::CsvFile& table);

}  // namespace scenarios

#endif  // SCENARIOS_VALIDATE_COLLECTIVES_H_
