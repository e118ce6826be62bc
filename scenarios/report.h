// What a person asks of a run, as figures.
//
//   Report report = Summarize(inputs, outcome);  // report.proto
//   report.step_seconds();
//
// To add a figure: a field in report.proto, its row in figures.cc, and where
// Summarize sets it. Text, CSV and comparisons walk the rows.
#ifndef SCENARIOS_REPORT_H_
#define SCENARIOS_REPORT_H_

#include "scenarios/report.pb.h"
#include "scenarios/run.h"

namespace scenarios {

Report Summarize(const Inputs& inputs, const Outcome& outcome);

// Whether the fullest rank's memory is within the GPU's.
bool Fits(const Inputs& inputs, const Outcome& outcome);

// The most memory a rank of `script` needs from its GPU: tensors at their peak,
// CUDA context, communicators. What the allocator caches beyond that it gives
// back before it fails.
sim::Bytes PeakOf(const Outcome& outcome, size_t script);

// One-line descriptions, as the report's head shows them.
std::string DescribeSplit(const models::Split& split);
std::string DescribeBatch(const models::TrainingSpec& training);

}  // namespace scenarios

#endif  // SCENARIOS_REPORT_H_
