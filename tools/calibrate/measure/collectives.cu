// NCCL's collectives over all GPUs of this machine, one process for all.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tools/calibrate/measure/cuda_check.h"
#include "tools/calibrate/measure/families.h"
#include "tools/calibrate/measure/timing.h"

#ifdef ORRERY_NCCL
#include <nccl.h>
#endif

namespace tools {

#ifndef ORRERY_NCCL

Outcome MeasureCollective(const CollectiveCase&, const Effort&, Bench&) {
  return Skipped("built without NCCL");
}

#else

namespace {

void CheckNccl(ncclResult_t result, int line, const char* call) {
  if (result != ncclSuccess) {
    Die(__FILE__, line, call, ncclGetErrorString(result));
  }
}
#define NCCL_CHECK(call) CheckNccl((call), __LINE__, #call)

constexpr size_t kMostBytes = size_t{512} << 20;

// A rank: its stream, communicator and buffers on its GPU.
class Rank {
 public:
  explicit Rank(int device) : device_(device) {
    CUDA_CHECK(cudaSetDevice(device));
    CUDA_CHECK(cudaMalloc(&send, kMostBytes));
    CUDA_CHECK(cudaMalloc(&receive, kMostBytes));
    stream = std::make_unique<Stream>();
    start = std::make_unique<Event>();
    end = std::make_unique<Event>();
  }
  ~Rank() {
    cudaSetDevice(device_);
    if (communicator != nullptr) ncclCommDestroy(communicator);
    cudaFree(send);
    cudaFree(receive);
  }
  Rank(const Rank&) = delete;
  Rank& operator=(const Rank&) = delete;

  void Select() const { CUDA_CHECK(cudaSetDevice(device_)); }

  char* send = nullptr;
  char* receive = nullptr;
  std::unique_ptr<Stream> stream;
  std::unique_ptr<Event> start, end;
  ncclComm_t communicator = nullptr;

 private:
  int device_;
};

using Ranks = std::vector<std::unique_ptr<Rank>>;

Ranks MakeRanks(int64_t gpus) {
  Ranks ranks;
  std::vector<int> devices;
  for (int device = 0; device < gpus; ++device) {
    ranks.push_back(std::make_unique<Rank>(device));
    devices.push_back(device);
  }
  std::vector<ncclComm_t> communicators(devices.size());
  NCCL_CHECK(ncclCommInitAll(communicators.data(),
                             static_cast<int>(devices.size()), devices.data()));
  for (size_t i = 0; i < ranks.size(); ++i) {
    ranks[i]->communicator = communicators[i];
  }
  return ranks;
}

// Made at the first case, for all of them.
const Ranks& TheRanks(int64_t gpus) {
  static const Ranks ranks = MakeRanks(gpus);
  return ranks;
}

// What one rank calls; `bytes` as nccl-tests counts them.
void Enqueue(const CollectiveCase& c, const Ranks& ranks, size_t me) {
  const Rank& r = *ranks[me];
  const size_t elements = static_cast<size_t>(c.bytes) / sizeof(__nv_bfloat16);
  const size_t part = elements / ranks.size();
  const size_t part_bytes = part * sizeof(__nv_bfloat16);
  if (c.op == "all_reduce") {
    NCCL_CHECK(ncclAllReduce(r.send, r.receive, elements, ncclBfloat16, ncclSum,
                             r.communicator, *r.stream));
  } else if (c.op == "all_gather") {
    NCCL_CHECK(ncclAllGather(r.send, r.receive, part, ncclBfloat16,
                             r.communicator, *r.stream));
  } else if (c.op == "reduce_scatter") {
    NCCL_CHECK(ncclReduceScatter(r.send, r.receive, part, ncclBfloat16, ncclSum,
                                 r.communicator, *r.stream));
  } else if (c.op == "broadcast") {
    NCCL_CHECK(ncclBroadcast(r.send, r.receive, elements, ncclBfloat16, 0,
                             r.communicator, *r.stream));
  } else if (c.op == "send_recv") {
    if (me == 0) {
      NCCL_CHECK(ncclSend(r.send, elements, ncclBfloat16, 1, r.communicator,
                          *r.stream));
    } else if (me == 1) {
      NCCL_CHECK(ncclRecv(r.receive, elements, ncclBfloat16, 0, r.communicator,
                          *r.stream));
    }
  } else {  // all_to_all
    for (size_t peer = 0; peer < ranks.size(); ++peer) {
      NCCL_CHECK(ncclSend(r.send + peer * part_bytes, part, ncclBfloat16,
                          static_cast<int>(peer), r.communicator, *r.stream));
      NCCL_CHECK(ncclRecv(r.receive + peer * part_bytes, part, ncclBfloat16,
                          static_cast<int>(peer), r.communicator, *r.stream));
    }
  }
}

void EnqueueAll(const CollectiveCase& c, const Ranks& ranks, int times) {
  for (int i = 0; i < times; ++i) {
    NCCL_CHECK(ncclGroupStart());
    for (size_t me = 0; me < ranks.size(); ++me) Enqueue(c, ranks, me);
    NCCL_CHECK(ncclGroupEnd());
  }
}

void AwaitAll(const Ranks& ranks) {
  for (const auto& rank : ranks) {
    rank->Select();
    CUDA_CHECK(cudaStreamSynchronize(*rank->stream));
  }
}

// Rank r sends r + 1 in every element: sums are exact in BF16 for up to 15
// GPUs, and whose data arrived is plain.
double ExpectedFirst(const CollectiveCase& c, size_t me, size_t block,
                     size_t gpus) {
  const double all = static_cast<double>(gpus * (gpus + 1)) / 2;
  if (c.op == "all_reduce" || c.op == "reduce_scatter") return all;
  if (c.op == "all_gather" || c.op == "all_to_all") {
    return static_cast<double>(block + 1);
  }
  return c.op == "send_recv" && me != 1 ? -1 : 1;
}

void FillRanks(const CollectiveCase& c, const Ranks& ranks) {
  for (size_t me = 0; me < ranks.size(); ++me) {
    ranks[me]->Select();
    const std::vector<__nv_bfloat16> values(
        static_cast<size_t>(c.bytes) / sizeof(__nv_bfloat16),
        __nv_bfloat16(static_cast<float>(me + 1)));
    CUDA_CHECK(cudaMemcpy(ranks[me]->send, values.data(),
                          static_cast<size_t>(c.bytes),
                          cudaMemcpyHostToDevice));
    Poison(ranks[me]->receive, static_cast<size_t>(c.bytes),
           *ranks[me]->stream);
  }
}

// The first and last element of every rank's every block.
std::string CheckRanks(const CollectiveCase& c, const Ranks& ranks) {
  const size_t gpus = ranks.size();
  const int64_t elements = c.bytes / 2, part = elements / int64_t(gpus);
  const size_t blocks = c.op == "reduce_scatter" ? 1 : gpus;
  for (size_t me = 0; me < gpus; ++me) {
    ranks[me]->Select();
    for (size_t block = 0; block < blocks; ++block) {
      const double expected = ExpectedFirst(c, me, block, gpus);
      if (expected < 0) continue;
      const int64_t first = static_cast<int64_t>(block) * part;
      for (const int64_t at : {first, first + part - 1}) {
        const double got = ReadBack(ranks[me]->receive + 2 * at, 1, "bf16",
                                    *ranks[me]->stream)[0];
        if (got == expected) continue;
        return "rank " + std::to_string(me) + " element " + std::to_string(at) +
               ": " + std::to_string(got) + ", not " + std::to_string(expected);
      }
    }
  }
  return "";
}

// The slowest rank's time.
double SampleUs(const CollectiveCase& c, const Ranks& ranks, int runs) {
  for (const auto& rank : ranks) {
    rank->Select();
    CUDA_CHECK(cudaEventRecord(*rank->start, *rank->stream));
  }
  EnqueueAll(c, ranks, runs);
  for (const auto& rank : ranks) {
    rank->Select();
    CUDA_CHECK(cudaEventRecord(*rank->end, *rank->stream));
  }
  AwaitAll(ranks);
  double slowest = 0;
  for (const auto& rank : ranks) {
    slowest = std::max(slowest, Milliseconds(*rank->start, *rank->end));
  }
  return slowest * 1e3 / runs;
}

}  // namespace

Outcome MeasureCollective(const CollectiveCase& c, const Effort& effort,
                          Bench& bench) {
  if (c.gpus < 2) return Skipped("takes two GPUs");
  if (static_cast<size_t>(c.bytes) > kMostBytes) return Skipped("too large");
  const Ranks& ranks = TheRanks(c.gpus);
  FillRanks(c, ranks);
  AwaitAll(ranks);
  EnqueueAll(c, ranks, 1);
  AwaitAll(ranks);
  const std::string wrong = CheckRanks(c, ranks);
  Outcome outcome{Outcome::Kind::kChecked, {}, ""};
  if (wrong.empty() && !bench.check_only) {
    SampleUs(c, ranks, effort.runs);  // to warm up
    std::vector<double> us;
    for (int i = 0; i < effort.samples; ++i) {
      us.push_back(SampleUs(c, ranks, effort.runs));
    }
    int version = 0;
    NCCL_CHECK(ncclGetVersion(&version));
    outcome.kind = Outcome::Kind::kMeasured;
    outcome.measured = {c,
                        SummaryOf(us),
                        bench.state.Read(),
                        "orrery-measure",
                        "nccl-" + std::to_string(version),
                        ""};
  }
  CUDA_CHECK(cudaSetDevice(0));
  return wrong.empty() ? outcome : Wrong(wrong);
}

#endif  // ORRERY_NCCL

}  // namespace tools
