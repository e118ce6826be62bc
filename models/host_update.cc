#include "models/host_update.h"

#include <algorithm>
#include <cmath>

namespace models {
namespace {

// PyTorch's Adam on the CPU, operator by operator, over CPU-Adam: 14.76 s over
// 2.57 s for 10 billion parameters (ZeRO-Offload, table 4).
constexpr double kOperatorsOverFused = 14.76 / 2.57;

class Emitter {
 public:
  Emitter(const TrainingSpec& training, OpGraphBuilder* builder)
      : o_(training.offload),
        training_(training),
        state_(StateBytesOf(training)),
        b_(*builder) {}

  void Update(int64_t parameters, When when, bool sends) {
    const int64_t group = std::min(parameters, o_.sub_group_size);
    TensorId next = Read(group, kNoTensor, when);
    TensorId written = kNoTensor;
    for (int64_t left = parameters; left > 0;) {
      const int64_t count = std::min(left, group);
      left -= count;
      const int64_t after = std::min(left, group);
      const TensorId read = next;
      if (o_.pipeline_read) next = Read(after, kNoTensor, when);
      const TensorId updated =
          Add("update", CollectiveKind::kHostWork, Axis::kCpu,
              count * HostUpdateBytes(training_),
              {read, o_.pipeline_write ? kNoTensor : written}, when);
      if (drives()) {
        written = Add("write state", CollectiveKind::kDiskWrite, Axis::kDisk,
                      count * StateOf(), {updated}, when);
      }
      if (!o_.pipeline_read) next = Read(after, updated, when);
      if (sends) Send(count, updated);
    }
  }

  // New weights, to where the next step takes them from.
  void Send(int64_t count, TensorId updated) {
    const int64_t word = o_.fp32_parameters ? 4 : state_.weights;
    if (o_.parameters == OffloadDevice::kNone) {
      const TensorId copy =
          Add("fetch updated weights", CollectiveKind::kCopy, Axis::kToDevice,
              count * word, {updated}, When::kAlways);
      if (word > state_.weights) Cast(count, copy);
    } else if (o_.parameters == OffloadDevice::kNvme && !o_.fp32_parameters) {
      Add("write weights", CollectiveKind::kDiskWrite, Axis::kDisk,
          count * word, {updated}, When::kAlways);
    }
  }

 private:
  bool drives() const { return o_.optimizer == OffloadDevice::kNvme; }
  int64_t StateOf() const { return 4 + state_.optimizer; }

  TensorId Read(int64_t count, TensorId after, When when) {
    if (!drives() || count == 0) return kNoTensor;
    return Add("read state", CollectiveKind::kDiskRead, Axis::kDisk,
               count * (StateOf() + (o_.gradients ? 4 : 0)), {after}, when);
  }

  TensorId Add(absl::string_view name, CollectiveKind kind, Axis axis,
               int64_t bytes, std::initializer_list<TensorId> reads,
               When when) {
    return b_.Add({.work = Collective{.kind = kind,
                                      .axis = axis,
                                      .bytes = sim::Bytes(bytes)},
                   .name = name,
                   .when = when},
                  reads);
  }

  void Cast(int64_t count, TensorId copy) {
    b_.Add({.work = Kernel(MemoryBound{.kind = Pointwise::kCast,
                                       .read = sim::Bytes(4 * count),
                                       .written = sim::Bytes(
                                           state_.weights * count),
                                       .flops = sim::Flops(0)}),
            .name = "cast updated weights"},
           {copy});
  }

  const Offload& o_;
  const TrainingSpec& training_;
  StateBytes state_;
  OpGraphBuilder& b_;
};

}  // namespace

// The update reads gradient, FP32 weights and moments and writes the last two;
// clipping passes over the gradients before it, the cast to 16 bits after it.
int64_t HostUpdateBytes(const TrainingSpec& training) {
  const StateBytes state = StateBytesOf(training);
  double update = static_cast<double>(4 + 2 * (4 + state.optimizer));
  if (!training.kernels.fused_optimizer) update *= kOperatorsOverFused;
  int64_t bytes = std::lround(update);
  if (training.gradient_clipping) bytes += 4 + 4;
  if (state.weights < 4 && !training.offload.fp32_parameters) {
    bytes += 4 + state.weights;
  }
  return bytes;
}

void UpdateOnHost(const TrainingSpec& training, int64_t parameters,
                  OpGraphBuilder* builder) {
  if (parameters == 0) return;
  Emitter emitter(training, builder);
  if (training.offload.delayed_update) {
    emitter.Send(parameters, kNoTensor);
  } else {
    emitter.Update(parameters, When::kAlways, true);
  }
}

void UpdateUnderForward(const TrainingSpec& training, int64_t parameters,
                        OpGraphBuilder* builder) {
  if (parameters == 0 || !training.offload.delayed_update) return;
  Emitter(training, builder).Update(parameters, When::kFirstMicrobatch, false);
}

}  // namespace models
