#include <optional>
#include <utility>
#include <vector>

#include "tools/calibrate/measure/cuda_check.h"
#include "tools/calibrate/measure/timing.h"

namespace tools {
namespace {

// The runs of one sample as a graph; or, where capture is refused, as calls.
class Sample {
 public:
  Sample(Bench& bench, int runs, const Launch& launch)
      : bench_(bench), runs_(runs), launch_(launch) {
    CUDA_CHECK(
        cudaStreamBeginCapture(bench.stream, cudaStreamCaptureModeThreadLocal));
    const bool captured = LaunchAll();
    cudaGraph_t graph = nullptr;
    const cudaError_t ended = cudaStreamEndCapture(bench.stream, &graph);
    if (captured && ended == cudaSuccess && graph != nullptr &&
        cudaGraphInstantiate(&replay_, graph, 0) != cudaSuccess) {
      replay_ = nullptr;
    }
    if (graph != nullptr) cudaGraphDestroy(graph);
    cudaGetLastError();  // of a refused capture; direct launches are checked
  }
  ~Sample() {
    if (replay_ != nullptr) cudaGraphExecDestroy(replay_);
  }
  Sample(const Sample&) = delete;
  Sample& operator=(const Sample&) = delete;

  bool Enqueue() {
    if (replay_ == nullptr) return LaunchAll();
    CUDA_CHECK(cudaGraphLaunch(replay_, bench_.stream));
    return true;
  }

 private:
  bool LaunchAll() {
    for (int run = 0; run < runs_; ++run) {
      if (!launch_(run)) return false;
    }
    return true;
  }

  Bench& bench_;
  int runs_;
  const Launch& launch_;
  cudaGraphExec_t replay_ = nullptr;
};

std::optional<std::vector<double>> SampleUs(Bench& bench, const Effort& effort,
                                            const Launch& launch,
                                            CardState& card) {
  Sample sample(bench, effort.runs, launch);
  if (!sample.Enqueue()) return std::nullopt;
  CUDA_CHECK(cudaStreamSynchronize(bench.stream));
  const auto samples = static_cast<size_t>(effort.samples);
  const std::vector<Event> starts(samples), ends(samples);
  for (size_t i = 0; i < samples; ++i) {
    CUDA_CHECK(cudaEventRecord(starts[i], bench.stream));
    if (!sample.Enqueue()) return std::nullopt;
    CUDA_CHECK(cudaEventRecord(ends[i], bench.stream));
  }
  card = bench.state.Read();  // while the card works
  CUDA_CHECK(cudaStreamSynchronize(bench.stream));
  std::vector<double> us;
  for (size_t i = 0; i < samples; ++i) {
    us.push_back(Milliseconds(starts[i], ends[i]) * 1e3 / effort.runs);
  }
  return us;
}

}  // namespace

double Milliseconds(const Event& start, const Event& end) {
  float ms = 0;
  CUDA_CHECK(cudaEventElapsedTime(&ms, start, end));
  return static_cast<double>(ms);
}

Outcome Timed(const Case& c, Bench& bench, const Effort& effort,
              const Launch& launch, const Labels& labels) {
  Outcome outcome{Outcome::Kind::kChecked, {}, ""};
  if (bench.check_only) return outcome;
  CardState card;
  std::optional<std::vector<double>> us = SampleUs(bench, effort, launch, card);
  if (!us) return Skipped("the library refuses this shape");
  outcome.kind = Outcome::Kind::kMeasured;
  outcome.measured = {
      c,        SummaryOf(std::move(*us)), card, labels.source, labels.library,
      labels.l2};
  return outcome;
}

std::optional<double> TimeOnce(Bench& bench, int runs, const Launch& launch) {
  const Event start, end;
  if (!launch(0)) return std::nullopt;
  CUDA_CHECK(cudaEventRecord(start, bench.stream));
  for (int run = 0; run < runs; ++run) {
    if (!launch(run)) return std::nullopt;
  }
  CUDA_CHECK(cudaEventRecord(end, bench.stream));
  CUDA_CHECK(cudaStreamSynchronize(bench.stream));
  return Milliseconds(start, end) * 1e3 / runs;
}

}  // namespace tools
