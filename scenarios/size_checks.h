// Whether a question is small enough to simulate: its operators fit in memory,
// and its bytes in 64 bits.
//
//   // a.textproto:9:3: training.global_batch: 1000000 sequences make 500000
//   // microbatches, about 1.1e+09 operators; 45454 sequences or fewer would do
//   CheckSize(inputs, file.At("training"))
#ifndef SCENARIOS_SIZE_CHECKS_H_
#define SCENARIOS_SIZE_CHECKS_H_

#include "absl/status/status.h"
#include "scenarios/inputs.h"
#include "sim/text_file.h"

namespace scenarios {

// The operators that one rank of every pipeline stage runs in a step, to within
// a few percent.
double OperatorsOf(const Inputs& inputs);

// What is refused above: about 200 bytes each, 10 GB, and half a minute.
inline constexpr double kMostOperators = 5e7;

// `training` is where the message stands in the scenario.
// REQUIRES: all other checks passed.
absl::Status CheckSize(const Inputs& inputs, const sim::TextField& training);

}  // namespace scenarios

#endif  // SCENARIOS_SIZE_CHECKS_H_
