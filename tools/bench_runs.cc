// From a scenario file to its text report, and a timeline written.
//
//   build/release/bench --benchmark_filter=Llama405b
#include <benchmark/benchmark.h>

#include <filesystem>
#include <string>
#include <vector>

#include "scenarios/answer.h"
#include "scenarios/load.h"
#include "scenarios/report.h"
#include "scenarios/run.h"
#include "scenarios/trace_of_run.h"
#include "scenarios/trace_perfetto.h"
#include "tools/bench_memory.h"

namespace {

void Report(benchmark::State& state, const scenarios::RunOptions& options) {
  double completions = 0;
  for (auto _ : state) {
    const scenarios::Inputs inputs =
        scenarios::Load("llama3-405b-16384xh100").value();
    const scenarios::Outcome outcome =
        scenarios::Execute(inputs, options).value();
    completions = static_cast<double>(outcome.timeline.completions);
    benchmark::DoNotOptimize(
        scenarios::ToText(scenarios::Summarize(inputs, outcome)));
  }
  state.counters["completions"] = completions;
  tools::CountPeakMemory(state);
}

// 16,384 H100: load, fold, simulate, report.
void Llama405bFolded(benchmark::State& state) { Report(state, {}); }
BENCHMARK(Llama405bFolded)->Unit(benchmark::kSecond);

void Llama405bEveryRank(benchmark::State& state) {
  Report(state, {.unfold = true});
}
BENCHMARK(Llama405bEveryRank)->Unit(benchmark::kSecond)->Iterations(1);

// One million slices: four ranks of Llama-3-70B, 74 microbatches each.
void PerfettoTrace(benchmark::State& state) {
  const std::vector<std::string> sets = {"training.global_batch=296"};
  const scenarios::Inputs inputs =
      scenarios::Load("llama3-70b-64xh100", sets).value();
  const scenarios::Outcome outcome =
      scenarios::Execute(inputs, {.memory_curve = true}).value();
  const scenarios::TraceInputs trace =
      scenarios::TraceOf(inputs, outcome, {}).value();
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / "orrery-bench.pftrace";
  for (auto _ : state) {
    if (!scenarios::WritePerfetto(trace, path).ok()) {
      return state.SkipWithError("cannot write the trace");
    }
  }
  std::filesystem::remove(path);
  state.counters["slices"] =
      static_cast<double>(outcome.timeline.starts.size());
  tools::CountPeakMemory(state);
}
BENCHMARK(PerfettoTrace)->Unit(benchmark::kSecond)->Iterations(1);

}  // namespace
