// Data-parallel state off the device: shards that are fetched before they are
// gathered, gradients that leave after they are reduced, and what all of it takes
// in host memory and on drives.
#include "models/offload.h"

#include <algorithm>
#include <cmath>

#include "models/data_parallel.h"

namespace models {
namespace {

// An FP32 master copy and FP32 gradients for the CPU's update.
constexpr int64_t kMasterBytes = 4, kGradientBytes = 4;

// DeepSpeed's offload_param buffers, by default: buffer_count of buffer_size
// parameters each (docs, config-json).
constexpr int64_t kParameterBuffers = 5 * 100'000'000;

int64_t Part(int64_t count, double fraction) {
  return static_cast<int64_t>(std::ceil(static_cast<double>(count) * fraction));
}

// What one kind of parameters adds.
void AddState(const TrainingSpec& training, int64_t share, OffDevice* off) {
  const Offload& o = training.offload;
  const StateBytes state = StateBytesOf(training);
  const int64_t count = Part(share, o.optimizer_fraction);
  const int64_t each = kMasterBytes + state.optimizer;
  // 16-bit sums over microbatches, where gradients do not stay on the device.
  if (o.gradients && state.gradients < kGradientBytes) {
    off->host += sim::Bytes(share * state.gradients);
  }
  if (o.optimizer == OffloadDevice::kCpu) {
    off->host += sim::Bytes(count * (each + kGradientBytes));
    return;
  }
  const int64_t with_gradients = each + (o.gradients ? kGradientBytes : 0);
  off->disk += sim::Bytes(count * with_gradients);
  // Groups in host memory: one that is updated, and those that travel beside it.
  const int64_t groups = 1 + (o.pipeline_read ? 1 : 0) + (o.pipeline_write ? 1 : 0);
  const int64_t held = std::min(count, o.sub_group_size * groups);
  off->host += sim::Bytes(held * (each + kGradientBytes));
  if (!o.gradients) off->host += sim::Bytes(count * kGradientBytes);
}

}  // namespace

OffDevice OffDeviceOf(const TrainingSpec& training,
                      const HeldParameters& held) {
  OffDevice off;
  const Offload& o = training.offload;
  if (!o.updates()) return off;
  int64_t weights = 0;
  for (const ParameterKind kind :
       {ParameterKind::kDense, ParameterKind::kExpert}) {
    const bool expert = kind == ParameterKind::kExpert;
    const int64_t shards = ShardRanks(training.split, kind);
    const auto share = [&](const ParameterCounts& counts) {
      return ((expert ? counts.expert : counts.dense) + shards - 1) / shards;
    };
    AddState(training, share(held.trained), &off);
    weights += share(held.all);
  }
  // FP32 weights are the master copy.
  const int64_t word = o.fp32_parameters ? 0 : StateBytesOf(training).weights;
  if (o.parameters == OffloadDevice::kCpu) {
    off.host += sim::Bytes(weights * word);
  } else if (o.parameters == OffloadDevice::kNvme) {
    off.disk += sim::Bytes(weights * word);
    off.host += sim::Bytes(std::min(weights, kParameterBuffers) * word);
  }
  return off;
}

int64_t DataParallel::OffloadedOf(int64_t parameters) const {
  if (!training_.offload.updates()) return 0;
  return Part((parameters + shards_ - 1) / shards_,
              training_.offload.optimizer_fraction);
}

TensorId DataParallel::OnHost(absl::string_view name, CollectiveKind kind,
                              Axis axis, sim::Bytes bytes,
                              std::span<const TensorId> tensors, When when,
                              sim::Bytes output) {
  return b_.Add({.work = Collective{.kind = kind, .axis = axis, .bytes = bytes},
                 .name = name,
                 .when = when},
                tensors, output,
                shards_ == 1 ? Holder::kGatheredWeights : Holder::kWorkspace);
}

// This rank's shard of a unit, on the device and in the precision in which it is
// gathered.
TensorId DataParallel::FetchShard(int64_t parameters, TensorId after) {
  const Offload& o = training_.offload;
  const int64_t share = (parameters + shards_ - 1) / shards_;
  const int64_t word = BitsOf(weights_) / 8;
  const sim::Bytes travels(share * (o.fp32_parameters ? 4 : word));
  if (o.parameters == OffloadDevice::kNvme) {
    after = OnHost("read weights", CollectiveKind::kDiskRead, Axis::kDisk,
                   travels, {&after, 1}, When::kAlways);
  }
  const TensorId shard =
      OnHost("fetch weights", CollectiveKind::kCopy, Axis::kToDevice, travels,
             {&after, 1}, When::kAlways, travels);
  if (!o.fp32_parameters || word == 4) return shard;
  return Between("cast weights", share * 4, share * word, {&shard, 1},
                 Axis::kToDevice, When::kAlways, sim::Bytes(share * word));
}

// Of the bucket, in `tensors`, after its reduction. Sums over microbatches are
// made on the device, where the host's sum so far is fetched to (DeepSpeed,
// zero/stage3.py, partition_grads).
void DataParallel::OffloadGradients(std::span<const TensorId> tensors,
                                    When when) {
  const Offload& o = training_.offload;
  const int64_t count = OffloadedOf(bucket_parameters_);
  if (count == 0) return;
  const int64_t bytes = count * StateBytesOf(training_).gradients;
  if (!o.gradients) when = When::kLastMicrobatch;
  const bool sums = o.gradients && training_.microbatches() > 1;
  OpId sum{};
  if (sums) {
    const TensorId before =
        OnHost("fetch gradients", CollectiveKind::kCopy, Axis::kToDevice,
               sim::Bytes(bytes), tensors, When::kAfterFirst,
               sim::Bytes(bytes));
    Between("sum gradients", 2 * bytes, bytes, {&before, 1}, Axis::kToHost,
            When::kAfterFirst, sim::Bytes(0));
    sum = b_.last();
  }
  const TensorId left =
      OnHost("offload gradients", CollectiveKind::kCopy, Axis::kToHost,
             sim::Bytes(bytes), tensors, when);
  if (sums) b_.Order(sum, b_.last());
  if (o.gradients && o.optimizer == OffloadDevice::kNvme) {
    OnHost("write gradients", CollectiveKind::kDiskWrite, Axis::kDisk,
           sim::Bytes(count * kGradientBytes), {&left, 1},
           When::kLastMicrobatch);
  }
}

}  // namespace models
