// Writes a trace as PyTorch's profiler (Kineto) does: Chrome trace events.
//
//   absl::Status s = WriteKineto(inputs, "step.json");  // or "step.json.gz"
//
// For tools that read such files: Holistic Trace Analysis (HTA), Perfetto,
// speedscope. A process is a rank (pid = its number), a stream a lane (tid = 7
// + lane, as PyTorch's first stream is 7), a "kernel" event a task; its launch
// is the "cuda_runtime" event of the same correlation on the rank's host thread
// (tid 1), drawn from the end of the launch before it. Communications are named
// as NCCL names its kernels, ncclKernel_AllReduce_RING, for tools tell them by
// that; the task's own name is then the argument "label".
//
// Times are microseconds with three decimals. HTA rounds starts up and ends
// down to whole microseconds, so kernels below two lose precision there.
#ifndef SCENARIOS_TRACE_KINETO_H_
#define SCENARIOS_TRACE_KINETO_H_

#include <filesystem>

#include "absl/status/status.h"
#include "scenarios/trace.h"

namespace scenarios {

// All ranks in one file, gzipped if its name ends in .gz, with arrows as in
// WritePerfetto. Fails only if the file cannot be written, and then leaves
// none. Cost: a million slices take a few seconds, memory only for the labels.
absl::Status WriteKineto(const TraceInputs& inputs,
                         const std::filesystem::path& path);

// One file for each rank, FOLDER/rank-12.json, as HTA's TraceAnalysis wants
// them. Makes the folder if there is none. Files of ranks before one that fails
// stay.
absl::Status WriteKinetoFolder(const TraceInputs& inputs,
                               const std::filesystem::path& folder);

}  // namespace scenarios

#endif  // SCENARIOS_TRACE_KINETO_H_
