#include "models/data_parallel.h"

#include <algorithm>
#include <cmath>

#include "models/adapters.h"

namespace models {

int64_t ReplicasOf(const Split& split, ParameterKind kind) {
  return kind == ParameterKind::kExpert ? split.expert_copies()
                                        : split.copies() * split.data *
                                              split.context;
}

int64_t ShardRanks(const Split& split, ParameterKind kind) {
  if (split.zero == 0) return 1;
  const int64_t all = ReplicasOf(split, kind);
  if (split.shard_group == 0) return all;
  const int64_t groups = ReplicasOf(split) / split.shard_group;
  return all / groups;
}

DataParallel::DataParallel(const TrainingSpec& training, const RankShape& shape,
                           OpGraphBuilder* builder, ParameterKind kind)
    : training_(training),
      b_(*builder),
      weights_(training.precision == Precision::kFp8 &&
                       training.fp8_param_gather
                   ? DType::kFp8
                   : shape.activation),
      gradients_(training.fp32_grad_reduce ? DType::kFp32 : shape.activation),
      expert_(kind == ParameterKind::kExpert),
      replicas_(ReplicasOf(training.split, kind)),
      shards_(ShardRanks(training.split, kind)),
      unit_parameters_(shape.frozen ? shape.adapters
                       : expert_    ? shape.expert_layer.expert
                                    : std::max(shape.dense_layer.dense,
                                               shape.expert_layer.dense)) {}

Axis DataParallel::shard_axis() const {
  return sharded_weights() || shards_ < replicas_ ? shard() : data();
}

TensorId DataParallel::GatherUnit(int64_t parameters, TensorId after,
                                  Phase pass) {
  if (!sharded_weights() || parameters == 0) return kNoTensor;
  const Split& split = training_.split;
  const bool second = split.second_shard > 1 && pass == Phase::kBackward;
  const bool fetches =
      training_.offload.parameters != OffloadDevice::kNone && !second;
  if (fetches) after = FetchShard(parameters, after);
  if (shards_ == 1) return fetches ? after : kNoTensor;
  const Axis axis = second ? Axis::kSecondShard : shard();
  const DType sent = split.quantized_weights ? DType::kInt8 : weights_;
  if (split.quantized_weights) after = QuantiseShard(parameters, after, axis);
  const sim::Bytes bytes = BytesOf(sent, parameters);
  return b_.Add({.work = Collective{.kind = CollectiveKind::kAllGather,
                                    .axis = axis,
                                    .bytes = bytes,
                                    .dtype = sent},
                 .name = "gather weights"},
                {after}, bytes, Holder::kGatheredWeights);
}

// A kernel of the framework that reads half of `moved` and writes the rest.
TensorId DataParallel::Copy(absl::string_view name, sim::Bytes moved,
                            std::span<const TensorId> tensors, When when) {
  const sim::Bytes read(moved.count() / 2);
  return b_.Add({.work = MemoryBound{.kind = Pointwise::kCast,
                                     .read = read,
                                     .written = moved - read,
                                     .flops = sim::Flops(0)},
                 .name = name,
                 .when = when},
                tensors);
}

TensorId DataParallel::Unpack(int64_t parameters, TensorId gathered) {
  const int copies = training_.kernels.gather_copies;
  if (!sharded_weights() || gathered == kNoTensor || shards_ == 1) {
    return gathered;
  }
  const sim::Bytes whole = BytesOf(weights_, parameters);
  if (training_.split.quantized_weights) {
    return b_.Add({.work = MemoryBound{.kind = Pointwise::kCast,
                                       .read = sim::Bytes(parameters),
                                       .written = whole,
                                       .flops = sim::Flops(0)},
                   .name = "dequantise weights"},
                  {gathered}, whole, Holder::kGatheredWeights);
  }
  if (copies > 0) {
    Copy("unpack weights", whole * (2 * copies), {&gathered, 1}, When::kAlways);
  }
  return gathered;
}

// zero 1, 2: each rank updates its share of the weights.
bool DataParallel::GathersUpdated() const {
  return training_.split.zero > 0 && !sharded_weights() && shards_ > 1;
}

TensorId DataParallel::GatherUpdated(int64_t parameters) {
  if (parameters == 0 || !GathersUpdated() || !training_.overlap.param_gather) {
    return kNoTensor;
  }
  return b_.Add({.work = Collective{.kind = CollectiveKind::kAllGather,
                                    .axis = shard_axis(),
                                    .bytes = BytesOf(weights_, parameters),
                                    .dtype = weights_},
                 .name = "gather updated weights",
                 .when = When::kFirstMicrobatch},
                {});
}

void DataParallel::Reduce(int64_t parameters,
                          std::span<const TensorId> gradients) {
  if (!moves_gradients() || parameters == 0) return;
  const bool per_unit = sharded_weights();
  if (!per_unit && !training_.overlap.grad_reduce && training_.split.zero < 2) {
    return;
  }
  bucket_parameters_ += parameters;
  bucket_.insert(bucket_.end(), gradients.begin(), gradients.end());
  if (per_unit || bucket_parameters_ >= training_.overlap.bucket_parameters) {
    Flush();
  }
}

void DataParallel::Flush() {
  if (bucket_parameters_ == 0) return;
  ReduceBucket(training_.split.zero >= 2 ? When::kAlways
                                         : When::kLastMicrobatch);
}

void DataParallel::ReduceBucket(When when) {
  const bool scatter =
      training_.split.zero > 1 ||
      (training_.split.zero == 1 && training_.overlap.grad_scatter);
  TensorId reduced = kNoTensor;
  b_.SetWeightGradient(true);
  const bool quantised = training_.split.quantized_gradients && shards_ > 1;
  const int copied = training_.kernels.reduce_copy_bytes;
  if (copied > 0 && replicas_ > 1 && !quantised) {
    bucket_.push_back(Copy("pack gradients",
                           sim::Bytes(copied * bucket_parameters_), bucket_,
                           when));
  }
  if (quantised) {
    reduced = ReduceInTwoHops(when);
  } else if (replicas_ > 1 && (!scatter || shards_ > 1)) {
    const int64_t leaves =
        training_.offload.gradients ? bucket_parameters_ / shards_ : 0;
    reduced = b_.Add(
        {.work = Collective{.kind = scatter ? CollectiveKind::kReduceScatter
                                            : CollectiveKind::kAllReduce,
                            .axis = scatter ? shard_axis() : data(),
                            .bytes = BytesOf(gradients_, bucket_parameters_),
                            .dtype = gradients_},
         .name = "reduce gradients",
         .when = when},
        bucket_, BytesOf(gradients_, leaves), Holder::kGradients);
  }
  if (scatter && replicas_ > shards_) {
    // Without a scatter before it, it is the one that needs the gradients.
    std::vector<TensorId> reads = {reduced};
    if (reduced == kNoTensor) reads = bucket_;
    const TensorId sum =
        b_.Add({.work = Collective{.kind = CollectiveKind::kAllReduce,
                                   .axis = replicate(),
                                   .bytes = BytesOf(gradients_,
                                                    bucket_parameters_ / shards_),
                                   .dtype = gradients_},
                .name = "reduce shards",
                .when = when},
               reads);
    bucket_.assign(1, sum);
  } else if (reduced != kNoTensor) {
    bucket_.assign(1, reduced);
  }
  OffloadGradients(bucket_, when);
  b_.SetWeightGradient(false);
  bucket_parameters_ = 0;
  bucket_.clear();
}

// In buckets as under the backward pass, which close after whole layers.
void DataParallel::ReduceAfterBackward(int64_t parameters) {
  if (!moves_gradients() || training_.overlap.grad_reduce ||
      training_.split.zero >= 2) {
    return;
  }
  const int64_t bucket =
      std::max(training_.overlap.bucket_parameters, unit_parameters_);
  while (parameters > 0) {
    bucket_parameters_ = std::min(parameters, bucket);
    parameters -= bucket_parameters_;
    ReduceBucket(When::kAlways);
  }
}

void DataParallel::GatherAfterStep(int64_t parameters) {
  if (!GathersUpdated() || training_.overlap.param_gather || parameters == 0) {
    return;
  }
  b_.Add({.work = Collective{.kind = CollectiveKind::kAllGather,
                             .axis = shard_axis(),
                             .bytes = BytesOf(weights_, parameters),
                             .dtype = weights_},
          .name = "gather updated weights"},
         {});
}

int64_t LayersAhead(const Overlap& o, Phase pass, int64_t layer_parameters) {
  int64_t layers = o.prefetch_layers;
  if (pass == Phase::kForward && o.forward_prefetch_layers >= 0) {
    layers = o.forward_prefetch_layers;
  }
  if (layer_parameters <= 0) return layers;
  if (o.prefetch_bucket > 0) {
    layers = (o.prefetch_bucket + layer_parameters - 1) / layer_parameters;
  }
  if (o.max_live_parameters > 0) {
    const int64_t live = o.max_live_parameters / layer_parameters;
    layers = std::min(layers, std::max<int64_t>(live, 1) - 1);
  }
  return layers;
}

sim::Bytes ResidentBytes(const TrainingSpec& training,
                         ParameterCounts parameters, Holder holder) {
  const StateBytes state = StateBytesOf(training);
  const int zero = training.split.zero;
  const Offload& off = training.offload;
  const double stays = off.updates() ? 1 - off.optimizer_fraction : 1;
  const auto bytes_of = [&](int64_t count, int64_t shards) {
    const auto share = [&](int64_t bytes, bool divided) {
      return (divided ? (count + shards - 1) / shards : count) * bytes;
    };
    switch (holder) {
      case Holder::kWeights:
        if (off.parameters != OffloadDevice::kNone) return int64_t{0};
        // FSDP keeps only the FP32 shard; 16-bit weights exist while gathered.
        if (zero == 3 && shards > 1) {
          const bool other = state.master > 0 && !off.updates();
          return share(other ? 0 : state.weights, true);
        }
        return share(state.weights, false);
      case Holder::kGradients:
        return share(off.gradients ? 0 : state.gradients, zero >= 2);
      case Holder::kOptimizerState: {
        const int64_t all = share(state.master + state.optimizer, zero >= 1);
        return stays == 1 ? all
                          : static_cast<int64_t>(
                                std::floor(static_cast<double>(all) * stays));
      }
      default:
        return int64_t{0};
    }
  };
  const Split& split = training.split;
  return sim::Bytes(
      bytes_of(parameters.dense, ShardRanks(split)) +
      bytes_of(parameters.expert, ShardRanks(split, ParameterKind::kExpert)));
}

HeldParameters HeldOf(const RankShape& shape, std::span<const Chunk> chunks) {
  HeldParameters held;
  for (const Chunk& chunk : chunks) {
    held.all += shape.ParametersOf(chunk);
    held.trained += shape.TrainedOf(chunk);
    held.nf4 += chunk.layers * shape.nf4_weights;
  }
  return held;
}

sim::Bytes HeldBytes(const TrainingSpec& training, const HeldParameters& held,
                     Holder holder) {
  sim::Bytes trained = ResidentBytes(training, held.trained, holder);
  if (holder == Holder::kWeights) {
    trained += SecondShardBytes(training, held.all.total());
  }
  if (holder != Holder::kWeights || held.all == held.trained) return trained;
  const int64_t word = StateBytesOf(training).weights;
  // FSDP keeps a shard of them, and no other copy.
  const int64_t shards =
      training.split.zero == 3 ? ShardRanks(training.split) : 1;
  const int64_t frozen =
      training.offload.parameters != OffloadDevice::kNone
          ? 0
          : held.all.total() - held.trained.total() - held.nf4;
  const double packed = static_cast<double>(held.nf4) *
                        Nf4BytesPerWeight(training.lora.double_quant);
  return trained +
         sim::Bytes((frozen + shards - 1) / shards * word +
                    static_cast<int64_t>(std::ceil(packed)));
}

}  // namespace models
