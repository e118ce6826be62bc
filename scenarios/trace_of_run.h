// The timeline of a run, ready for a trace writer.
//
//   TraceInputs trace = *TraceOf(inputs, outcome, ranks);  // {}: one a class
//   WritePerfetto(trace, "step.pftrace");
#ifndef SCENARIOS_TRACE_OF_RUN_H_
#define SCENARIOS_TRACE_OF_RUN_H_

#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "scenarios/run.h"
#include "scenarios/trace.h"

namespace scenarios {

// REQUIRES: `outcome` was executed with memory_curve. Ranks are numbers of the
// unfolded program; a rank that was not recorded is shown by the one of its
// class that was. Fails on a number that is not a rank of the run.
absl::StatusOr<TraceInputs> TraceOf(const Inputs& inputs,
                                    const Outcome& outcome,
                                    std::span<const int64_t> ranks);

}  // namespace scenarios

#endif  // SCENARIOS_TRACE_OF_RUN_H_
