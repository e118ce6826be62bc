// Prices the rows of a table of DeepEP's exchanges between experts.
//
//   gpu,op,nodes,n_gpus,tokens_per_rank,hidden,topk,experts,sms,payload_dtype,
//   time_us,source,split
//   h100,normal-dispatch,1,8,4096,7168,8,256,24,fp8,498.1,…
//
//   sim::CsvFile table = *sim::CsvFile::Load("deepep.csv");
//   IsDeepEpTable(table);          // by its columns
//   PredictDeepEp(table)->at(0);   // measured 498.1, predicted 491.7
#ifndef SCENARIOS_VALIDATE_DEEP_EP_H_
#define SCENARIOS_VALIDATE_DEEP_EP_H_

#include <vector>

#include "absl/status/statusor.h"
#include "scenarios/prediction.h"
#include "sim/csv_file.h"

namespace scenarios {

bool IsDeepEpTable(const sim::CsvFile& table);

// A prediction of time_us for each row, in order. Rows that no law covers, and
// those of a fabric that was not well, are skipped with a reason; a cell that
// is not what its column holds is an error, with its place. REQUIRES:
// IsDeepEpTable(table).
absl::StatusOr<std::vector<Prediction>> PredictDeepEp(
    const sim::CsvFile& table);

}  // namespace scenarios

#endif  // SCENARIOS_VALIDATE_DEEP_EP_H_
