// A small simulated step for the tests of traces: two pipeline stages of two
// tensor ranks each, three microbatches, times by hand.
//
// Microbatch m of 100 us: stage 0 computes for 10 us, sums over its tensor pair
// for 4 and sends for 5; stage 1, which receives in those 5, computes for 10
// and sends gradients back for 7 from 50 us on.
#ifndef TESTS_SCENARIOS_SMALL_TRACE_H_
#define TESTS_SCENARIOS_SMALL_TRACE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "scenarios/trace.h"
#include "sim/engine.h"
#include "sim/ledger.h"
#include "sim/program.h"
#include "sim/units.h"

namespace scenarios {

struct SmallTrace {
  sim::Program program;
  sim::Timeline timeline;
  TraceInputs inputs{.program = program, .timeline = timeline};

  SmallTrace();
  SmallTrace(const SmallTrace&) = delete;
};

inline constexpr int64_t kSmallTraceMicrobatches = 3;
// Stage 0: gemm, all-reduce, send, receive; stage 1: receive, gemm, send.
inline constexpr int64_t kSmallTraceSlices = 2 * 3 * (4 + 3);
// Sends, there and back, of two pairs; all-reduces of stage 0's pair.
inline constexpr int64_t kSmallTraceArrows = 3 * (2 + 2 + 1);

}  // namespace scenarios

#endif  // TESTS_SCENARIOS_SMALL_TRACE_H_
