// The memory column of a benchmark.
//
//   tools::CountPeakMemory(state);  // MiB=47.2
//
// The peak is the program's so far: for the figure of one benchmark, run it
// alone with --benchmark_filter.
#ifndef TOOLS_BENCH_MEMORY_H_
#define TOOLS_BENCH_MEMORY_H_

#include <benchmark/benchmark.h>
#include <sys/resource.h>

namespace tools {

inline void CountPeakMemory(benchmark::State& state) {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  state.counters["MiB"] = static_cast<double>(usage.ru_maxrss) / 1024;
}

}  // namespace tools

#endif  // TOOLS_BENCH_MEMORY_H_
