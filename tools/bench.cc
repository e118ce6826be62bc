// The speed figures of the README: the engine alone here, whole runs in
// bench_runs.cc.
//
//   build/release/bench                                # all of them
//   build/release/bench --benchmark_filter=Engine
//
// `completions` counts tasks that ended, over all ranks: kernels, and each
// rank's part in a communication.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sim/engine.h"
#include "sim/fold.h"
#include "sim/program.h"
#include "sim/program_check.h"
#include "sim/units.h"
#include "tools/bench_memory.h"

namespace {

using sim::AsId;
using sim::AxisId;
using sim::GroupId;
using sim::LaneId;
using sim::Microseconds;
using sim::RankId;
using sim::Row;
using sim::TaskId;

// A synthetic training step in the shape of Megatron's: tensor and sequence
// parallel layers, one-forward-one-backward pipeline, gradients reduced beside
// the last backward pass. Each lane but the first is its axis'.
enum Lane : uint8_t {
  kCompute,
  kTensor,
  kSend,
  kReceive,
  kSendBack,
  kReceiveBack,
  kData,
  kLanes,
};

struct Shape {
  uint32_t tensor, pipeline, data;
  uint32_t layers, microbatches;  // layers of one stage
  bool early_receives = false;    // posted before they are needed
  uint32_t ranks() const { return tensor * pipeline * data; }
};

// One rank of one stage.
class StageWriter {
 public:
  StageWriter(const Shape& shape, uint32_t stage)
      : shape_(shape),
        first_(stage == 0),
        last_(stage + 1 == shape.pipeline),
        warmup_(std::min(shape.pipeline - 1 - stage, shape.microbatches)) {}

  sim::Script Write() && {
    for (uint32_t pass = 0; pass < warmup_; ++pass) Forward();
    for (uint32_t pass = warmup_; pass < shape_.microbatches; ++pass) {
      Forward();
      Backward(warmup_ == 0 && pass + 1 == shape_.microbatches);
    }
    for (uint32_t pass = warmup_; pass > 0; --pass) Backward(pass == 1);
    for (uint32_t layer = 0; layer < shape_.layers; ++layer) {
      Compute(90, Add(kData, 400, {}));  // the optimizer
    }
    return std::move(script_);
  }

 private:
  // A communication waits for the kernel launched before it, as PyTorch's
  // process groups have NCCL's stream wait for the compute stream.
  TaskId Add(Lane lane, double us, std::vector<TaskId> waits) {
    const bool receives = lane == kReceive || lane == kReceiveBack;
    const bool early = receives && shape_.early_receives;
    if (lane != kCompute && kernel_ && !early) waits = {*kernel_};
    sim::Task task;
    task.duration = Microseconds(us);
    task.issue = host_;
    host_ += Microseconds(2);
    task.lane = LaneId{lane};
    if (lane != kCompute) {
      task.axis = AxisId{lane};
      task.takes_compute = 128;
      task.takes_memory = 64;
    }
    const TaskId id = script_.Append(task, waits);
    if (lane == kCompute) kernel_ = id;
    return id;
  }
  TaskId Compute(double us) { return Add(kCompute, us, {}); }
  TaskId Compute(double us, TaskId after) { return Add(kCompute, us, {after}); }

  // Gather the sequence, compute, scatter it again.
  TaskId Block(TaskId before, const std::vector<double>& kernels) {
    TaskId kernel = Compute(kernels[0], Add(kTensor, 45, {before}));
    for (size_t i = 1; i < kernels.size(); ++i) kernel = Compute(kernels[i]);
    return Add(kTensor, 45, {kernel});
  }

  void Forward() {
    TaskId before = first_ ? Compute(20) : Compute(5, Add(kReceive, 100, {}));
    for (uint32_t layer = 0; layer < shape_.layers; ++layer) {
      const TaskId attention = Block(before, {310, 20, 120, 250});
      before = Compute(15, attention);
      const TaskId mlp = Block(before, {700, 40, 350});
      before = Compute(15, mlp);
    }
    if (!last_) Add(kSend, 100, {before});
  }

  void Backward(bool reduces) {
    TaskId before =
        last_ ? Compute(20) : Compute(5, Add(kReceiveBack, 100, {}));
    for (uint32_t layer = 0; layer < shape_.layers; ++layer) {
      for (const double scale : {1.0, 0.6}) {
        const TaskId gradient =
            Block(before, {700 * scale, 60 * scale, 350 * scale});
        Compute(350 * scale);  // weight gradients, beside the scatter
        Compute(700 * scale);
        before = Compute(15, gradient);
      }
      if (reduces) Add(kData, 2000, {before});
    }
    if (!first_) Add(kSendBack, 100, {before});
  }

  const Shape shape_;
  const bool first_, last_;
  const uint32_t warmup_;
  sim::Duration host_;
  std::optional<TaskId> kernel_;  // the last launched
  sim::Script script_;
};

void AddGroup(sim::Program& program, std::vector<RankId> members,
              std::vector<Lane> axes) {
  const GroupId group = program.members.Append(members);
  for (size_t i = 0; i < members.size(); ++i) {
    program.groups[Row(members[i]) * kLanes + axes[i % axes.size()]] = group;
  }
}

// Ranks are numbered tensor first, then data, then pipeline.
sim::Program MakeProgram(const Shape& shape) {
  sim::Program program;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    program.lanes.Append(absl::StrCat("lane ", lane));
    program.axes.Append(absl::StrCat("axis ", lane));
  }
  program.labels.Append("task");
  for (uint32_t stage = 0; stage < shape.pipeline; ++stage) {
    program.scripts.Append(StageWriter(shape, stage).Write());
  }
  const uint32_t width = shape.tensor * shape.data;
  program.groups.assign(size_t{shape.ranks()} * kLanes, sim::kNoGroup);
  for (uint32_t rank = 0; rank < shape.ranks(); ++rank) {
    program.script.Append(sim::ScriptId{rank / width});
    std::vector<RankId> members;
    if (rank % shape.tensor == 0) {
      for (uint32_t i = 0; i < shape.tensor; ++i) {
        members.push_back(RankId{rank + i});
      }
      AddGroup(program, members, {kTensor});
    }
    if (rank % width < shape.tensor) {
      members.clear();
      for (uint32_t i = 0; i < shape.data; ++i) {
        members.push_back(RankId{rank + i * shape.tensor});
      }
      AddGroup(program, members, {kData});
    }
    if (rank + width < shape.ranks()) {
      const std::vector<RankId> ends = {RankId{rank}, RankId{rank + width}};
      AddGroup(program, ends, {kSend, kReceive});
      AddGroup(program, ends, {kReceiveBack, kSendBack});
    }
  }
  return program;
}

void Simulate(benchmark::State& state, const Shape& shape, sim::Record record) {
  const sim::Program program = MakeProgram(shape);
  if (!sim::Check(program).ok()) return state.SkipWithError("unsound program");
  uint64_t completions = 0;
  for (auto _ : state) {
    const absl::StatusOr<sim::Timeline> timeline =
        sim::Simulate(program, record);
    if (!timeline.ok()) return state.SkipWithError("deadlock");
    completions += timeline->completions;
  }
  state.counters["completions/s"] = benchmark::Counter(
      static_cast<double>(completions), benchmark::Counter::kIsRate);
  state.counters["tasks/rank"] =
      static_cast<double>(completions) /
      static_cast<double>(state.iterations() * shape.ranks());
  tools::CountPeakMemory(state);
}

// A cluster that fits the cache: what one completion costs.
constexpr Shape kSmall = {
    .tensor = 8, .pipeline = 4, .data = 4, .layers = 8, .microbatches = 23};

void EngineOn128Ranks(benchmark::State& state) {
  Simulate(state, kSmall, sim::Record::kNothing);
}
BENCHMARK(EngineOn128Ranks)->Unit(benchmark::kMillisecond);

void EngineOn128RanksRecorded(benchmark::State& state) {
  Simulate(state, kSmall, sim::Record::kEveryRank);
}
BENCHMARK(EngineOn128RanksRecorded)->Unit(benchmark::kMillisecond);

// Some communication always waits for its peer beside the kernels: every event
// goes through the queue.
void EngineOn128RanksReceivingEarly(benchmark::State& state) {
  Shape shape = kSmall;
  shape.early_receives = true;
  Simulate(state, shape, sim::Record::kNothing);
}
BENCHMARK(EngineOn128RanksReceivingEarly)->Unit(benchmark::kMillisecond);

// Llama-3-405B's layout, every rank simulated.
constexpr Shape kLarge = {
    .tensor = 8, .pipeline = 16, .data = 128, .layers = 8, .microbatches = 23};

void EngineOn16384Ranks(benchmark::State& state) {
  Simulate(state, kLarge, sim::Record::kNothing);
}
BENCHMARK(EngineOn16384Ranks)->Unit(benchmark::kSecond)->Iterations(1);

void EngineOn16384RanksReceivingEarly(benchmark::State& state) {
  Shape shape = kLarge;
  shape.early_receives = true;
  Simulate(state, shape, sim::Record::kNothing);
}
BENCHMARK(EngineOn16384RanksReceivingEarly)
    ->Unit(benchmark::kSecond)
    ->Iterations(1);

void Fold16384Ranks(benchmark::State& state) {
  const sim::Program program = MakeProgram(kLarge);
  for (auto _ : state) benchmark::DoNotOptimize(sim::Fold(program));
}
BENCHMARK(Fold16384Ranks)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
