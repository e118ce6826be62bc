// Runs a question about serving and writes what happened as a trace for
// ui.perfetto.dev and Perfetto's trace processor.
//
//   absl::StatusOr<ServingOutcome> o = ServeTraced(inputs, "serve.pftrace");
//   o = ServeTraced(inputs, "late.pftrace",
//                   {.operators = {{{Seconds(12.5)}, {Seconds(12.8)}}}});
//
// Native TrackEvent protobuf, gzipped, written while the run goes on: a million
// slices take about a second, and memory only for the requests under way.
// Process "requests" has a slice for each request, with its phases within
// (request_tracks.h); each engine is a process, with a slice for each step and
// counters (engine_tracks.h). Why was a token of request 17 late?
//
//   1. Search for "request 17": its phases, their engine, its latency in parts
//      as arguments. An arrow leads from a prefill to the steps that compute
//      it.
//   2. Above it or below, thread "steps" of that engine at that moment: what a
//      step computed beside it, whose prompts, how many keys.
//   3. Run again with --trace-operators and that moment: which operators.
//
// All steps, transfers and counters are in the trace; of large runs it shows
// the first requests alone, and says where the others begin. Nothing is in it
// of steps that an outage cuts off. Times are cut to whole nanoseconds.
#ifndef SCENARIOS_SERVING_TRACE_H_
#define SCENARIOS_SERVING_TRACE_H_

#include <cstdint>
#include <filesystem>
#include <optional>

#include "absl/status/statusor.h"
#include "scenarios/engine_tracks.h"
#include "scenarios/serving_inputs.h"
#include "scenarios/serving_run.h"

namespace scenarios {

struct ServingTraceOptions {
  int64_t requests = 10000;  // the first of them are shown; >= 0
  // The operators of the steps of this while are shown, a dozen for each step.
  std::optional<OperatorWindow> operators = {};
};

// Fails only if the file cannot be written, and then leaves none; or if its
// name is that of another format. REQUIRES: Fits(inputs).
absl::StatusOr<ServingOutcome> ServeTraced(
    const ServingInputs& inputs, const std::filesystem::path& path,
    const ServingTraceOptions& options = {});

}  // namespace scenarios

#endif  // SCENARIOS_SERVING_TRACE_H_
