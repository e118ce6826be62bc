// Writes a trace for ui.perfetto.dev and Perfetto's trace processor.
//
//   absl::Status s = WritePerfetto(inputs, "step.pftrace");
//
// Native TrackEvent protobuf, gzipped. A process is a rank (its pid is
// 100 · (number + 1), so that rank 12 is 1300), a thread of it a lane (tid =
// pid + 1 + lane), a slice a task, with its notes and its pass as arguments.
// Counters "memory allocated" and "memory reserved" follow the allocator, in
// bytes; arrows join the ends of a message and the members of a collective.
//
//   include perfetto module slices.with_context;
//   select process_name, thread_name, sum(dur) from thread_slice group by 1, 2;
//
// Times are cut to whole nanoseconds. A communication's slice begins when its
// last member has come: the wait before it is the gap on its lane.
#ifndef SCENARIOS_TRACE_PERFETTO_H_
#define SCENARIOS_TRACE_PERFETTO_H_

#include <filesystem>

#include "absl/status/status.h"
#include "scenarios/trace.h"

namespace scenarios {

// Fails only if the file cannot be written, and then leaves none.
// REQUIRES: rank numbers are below 2^31 / 100 - 1.
// Cost: a million slices take about a second, and memory only for the labels.
absl::Status WritePerfetto(const TraceInputs& inputs,
                           const std::filesystem::path& path);

}  // namespace scenarios

#endif  // SCENARIOS_TRACE_PERFETTO_H_
