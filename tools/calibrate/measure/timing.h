// Times work on a stream: several runs captured in a CUDA graph, replayed
// between two events, so that gaps of launching do not show.
//
//   return Timed(c, bench, effort, [&](int run) {
//     Kernel<<<grid, block, 0, bench.stream>>>(buffers[run % copies]);
//     return cudaGetLastError() == cudaSuccess;
//   });
#ifndef TOOLS_CALIBRATE_MEASURE_TIMING_H_
#define TOOLS_CALIBRATE_MEASURE_TIMING_H_

#include <functional>
#include <optional>
#include <string>

#include "tools/calibrate/cases.h"
#include "tools/calibrate/measure/bench.h"
#include "tools/calibrate/op_rows.h"
#include "tools/calibrate/plan.h"

namespace tools {

// Enqueues one run on bench.stream; false if a library refuses it. `run` counts
// from 0 within a sample.
using Launch = std::function<bool(int run)>;

// Source and library of a row, and the state of its L2.
struct Labels {
  std::string source = "orrery-measure";
  std::string library;
  std::string l2 = "cold";
};

// Times `launch` after one sample to warm up; with bench.check_only says that
// the case was checked. What cannot be captured is launched run by run.
Outcome Timed(const Case& c, Bench& bench, const Effort& effort,
              const Launch& launch, const Labels& labels = {});

// Mean microseconds of one run over `runs`, after one more; none if refused.
std::optional<double> TimeOnce(Bench& bench, int runs, const Launch& launch);

// Milliseconds between two events, both passed.
double Milliseconds(const Event& start, const Event& end);

}  // namespace tools

#endif  // TOOLS_CALIBRATE_MEASURE_TIMING_H_
