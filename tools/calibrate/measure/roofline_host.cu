// What the host pays: launching a kernel, and copies to and from its memory.
#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tools/calibrate/measure/cuda_check.h"
#include "tools/calibrate/measure/roofline.h"
#include "tools/calibrate/measure/timing.h"

namespace tools {
namespace {

__global__ void Count(int* counter) {
  if (threadIdx.x == 0) ++*counter;
}

// Host memory that the card reads directly, or plain memory.
class HostBuffer {
 public:
  HostBuffer(size_t bytes, bool pinned) : pinned_(pinned) {
    if (pinned) {
      CUDA_CHECK(cudaMallocHost(&memory_, bytes));
    } else {
      pageable_.resize(bytes);
      memory_ = pageable_.data();
    }
  }
  ~HostBuffer() {
    if (pinned_) cudaFreeHost(memory_);
  }
  HostBuffer(const HostBuffer&) = delete;
  HostBuffer& operator=(const HostBuffer&) = delete;
  unsigned char* bytes() const { return static_cast<unsigned char*>(memory_); }

 private:
  bool pinned_;
  std::vector<unsigned char> pageable_;
  void* memory_ = nullptr;
};

constexpr int kLaunches = 1000;  // of one sample

// Microseconds per kernel of `enqueue`, which enqueues kLaunches of them.
template <class Enqueue>
std::vector<double> LaunchUs(int samples, Bench& bench,
                             const Enqueue& enqueue) {
  const Event start, end;
  std::vector<double> us;
  for (int i = 0; i <= samples; ++i) {
    CUDA_CHECK(cudaEventRecord(start, bench.stream));
    enqueue();
    CUDA_CHECK(cudaEventRecord(end, bench.stream));
    CUDA_CHECK(cudaStreamSynchronize(bench.stream));
    if (i > 0) us.push_back(Milliseconds(start, end) * 1e3 / kLaunches);
  }
  return us;
}

Outcome Row(const RooflineCase& c, std::vector<double> us, Bench& bench) {
  Outcome outcome{Outcome::Kind::kMeasured, {}, ""};
  outcome.measured = {
      c, SummaryOf(std::move(us)), bench.state.Read(), "orrery-measure", "",
      ""};
  return outcome;
}

class LaunchGraph {
 public:
  LaunchGraph(Bench& bench, int* counter) {
    CUDA_CHECK(
        cudaStreamBeginCapture(bench.stream, cudaStreamCaptureModeThreadLocal));
    for (int i = 0; i < kLaunches; ++i) {
      Count<<<1, 32, 0, bench.stream>>>(counter);
    }
    cudaGraph_t graph = nullptr;
    CUDA_CHECK(cudaStreamEndCapture(bench.stream, &graph));
    CUDA_CHECK(cudaGraphInstantiate(&replay_, graph, 0));
    CUDA_CHECK(cudaGraphDestroy(graph));
  }
  ~LaunchGraph() { cudaGraphExecDestroy(replay_); }
  LaunchGraph(const LaunchGraph&) = delete;
  LaunchGraph& operator=(const LaunchGraph&) = delete;
  void Enqueue(Bench& bench) const {
    CUDA_CHECK(cudaGraphLaunch(replay_, bench.stream));
  }

 private:
  cudaGraphExec_t replay_ = nullptr;
};

std::string CheckCopied(const RooflineCase& c, const HostBuffer& host,
                        const HostBuffer& back, void* device, Bench& bench) {
  const auto bytes = static_cast<size_t>(c.bytes);
  for (size_t i = 0; i < bytes; ++i) {
    host.bytes()[i] = static_cast<unsigned char>(i * 2654435761u >> 13);
  }
  std::memset(back.bytes(), 0, bytes);
  CUDA_CHECK(cudaMemcpyAsync(device, host.bytes(), bytes,
                             cudaMemcpyHostToDevice, bench.stream));
  CUDA_CHECK(cudaMemcpyAsync(back.bytes(), device, bytes,
                             cudaMemcpyDeviceToHost, bench.stream));
  CUDA_CHECK(cudaStreamSynchronize(bench.stream));
  return std::memcmp(host.bytes(), back.bytes(), bytes) == 0
             ? ""
             : c.kernel + ": bytes differ after there and back";
}

}  // namespace

Outcome MeasureLaunch(const RooflineCase& c, const Effort& effort,
                      Bench& bench) {
  auto* counter = bench.arena.Take<int>(1);
  CUDA_CHECK(cudaMemsetAsync(counter, 0, sizeof(int), bench.stream));
  const LaunchGraph graph(bench, counter);
  const bool replayed = c.kernel == "launch_graph";
  const auto enqueue = [&] {
    if (replayed) return graph.Enqueue(bench);
    for (int i = 0; i < kLaunches; ++i) {
      Count<<<1, 32, 0, bench.stream>>>(counter);
    }
    CUDA_CHECK(cudaGetLastError());
  };
  enqueue();
  const double counted = ReadBack(counter, 1, "i32", bench.stream)[0];
  if (counted != kLaunches) {
    return Wrong(c.kernel + ": " + std::to_string(counted) + " of 1000 ran");
  }
  if (bench.check_only) return {Outcome::Kind::kChecked, {}, ""};
  return Row(c, LaunchUs(std::min(effort.samples, 11), bench, enqueue), bench);
}

Outcome MeasureHostCopy(const RooflineCase& c, const Effort& effort,
                        Bench& bench) {
  const bool pinned = c.kernel.find("pinned") != std::string::npos;
  const bool to_device = c.kernel.rfind("h2d", 0) == 0;
  const auto bytes = static_cast<size_t>(c.bytes);
  const HostBuffer host(bytes, pinned), back(bytes, pinned);
  void* device = bench.arena.TakeBytes(bytes);
  if (!bench.arena.fits()) return Skipped("does not fit in memory");
  const std::string wrong = CheckCopied(c, host, back, device, bench);
  if (!wrong.empty()) return Wrong(wrong);
  if (bench.check_only) return {Outcome::Kind::kChecked, {}, ""};
  // By the host's clock: a pageable copy is the host's work for the most part.
  std::vector<double> us;
  for (int i = 0; i <= std::min(effort.samples, 11); ++i) {
    const auto start = std::chrono::steady_clock::now();
    CUDA_CHECK(cudaMemcpyAsync(
        to_device ? device : back.bytes(), to_device ? host.bytes() : device,
        bytes, to_device ? cudaMemcpyHostToDevice : cudaMemcpyDeviceToHost,
        bench.stream));
    CUDA_CHECK(cudaStreamSynchronize(bench.stream));
    const std::chrono::duration<double, std::micro> passed =
        std::chrono::steady_clock::now() - start;
    if (i > 0) us.push_back(passed.count());
  }
  return Row(c, std::move(us), bench);
}

}  // namespace tools
