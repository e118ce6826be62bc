#include "models/data_parallel.h"

#include <algorithm>

namespace models {

int64_t ShardRanks(const Split& split) {
  if (split.zero == 0) return 1;
  const int64_t all = split.data * split.context;
  return split.zero == 3 && split.shard_group > 0 ? split.shard_group : all;
}

DataParallel::DataParallel(const TrainingSpec& training, const RankShape& shape,
                           OpGraphBuilder* builder)
    : training_(training),
      b_(*builder),
      weights_(training.fp8_param_gather ? DType::kFp8 : shape.activation),
      gradients_(training.fp32_grad_reduce ? DType::kFp32 : shape.activation),
      shards_(ShardRanks(training.split)) {}

int64_t DataParallel::replicas() const {
  return training_.split.data * training_.split.context;
}

TensorId DataParallel::GatherUnit(int64_t parameters, TensorId after) {
  if (!sharded_weights() || shards_ == 1) return kNoTensor;
  const sim::Bytes bytes = BytesOf(weights_, parameters);
  return b_.Add({.work = Collective{.kind = CollectiveKind::kAllGather,
                                    .axis = Axis::kShard,
                                    .bytes = bytes,
                                    .dtype = weights_},
                 .name = "gather weights"},
                {after}, bytes, Holder::kGatheredWeights);
}

TensorId DataParallel::GatherUpdated(int64_t parameters) {
  const int zero = training_.split.zero;
  if (zero == 0 || zero == 3 || replicas() == 1 ||
      !training_.overlap.param_gather) {
    return kNoTensor;
  }
  return b_.Add({.work = Collective{.kind = CollectiveKind::kAllGather,
                                    .axis = Axis::kData,
                                    .bytes = BytesOf(weights_, parameters),
                                    .dtype = weights_},
                 .name = "gather updated weights",
                 .when = When::kFirstMicrobatch},
                {});
}

void DataParallel::Reduce(int64_t parameters,
                          std::span<const TensorId> gradients) {
  if (replicas() == 1) return;
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
  const bool shard = sharded_weights();
  const sim::Bytes bytes = BytesOf(gradients_, bucket_parameters_);
  TensorId reduced = kNoTensor;
  if (!shard || shards_ > 1) {
    reduced =
        b_.Add({.work = Collective{.kind = training_.split.zero == 0
                                               ? CollectiveKind::kAllReduce
                                               : CollectiveKind::kReduceScatter,
                                   .axis = shard ? Axis::kShard : Axis::kData,
                                   .bytes = bytes,
                                   .dtype = gradients_},
                .name = "reduce gradients",
                .when = when},
               bucket_);
  }
  if (shard && replicas() > shards_) {
    b_.Add({.work = Collective{.kind = CollectiveKind::kAllReduce,
                               .axis = Axis::kReplicate,
                               .bytes = BytesOf(gradients_,
                                                bucket_parameters_ / shards_),
                               .dtype = gradients_},
            .name = "reduce shards",
            .when = when},
           {reduced});
  }
  bucket_parameters_ = 0;
  bucket_.clear();
}

void DataParallel::ReduceAfterBackward(int64_t parameters) {
  if (replicas() == 1 || training_.overlap.grad_reduce ||
      training_.split.zero >= 2) {
    return;
  }
  while (parameters > 0) {
    bucket_parameters_ =
        std::min(parameters, training_.overlap.bucket_parameters);
    parameters -= bucket_parameters_;
    ReduceBucket(When::kAlways);
  }
}

void DataParallel::GatherAfterStep(int64_t parameters) {
  const int zero = training_.split.zero;
  if (zero == 0 || zero == 3 || replicas() == 1 ||
      training_.overlap.param_gather) {
    return;
  }
  b_.Add({.work = Collective{.kind = CollectiveKind::kAllGather,
                             .axis = Axis::kData,
                             .bytes = BytesOf(weights_, parameters),
                             .dtype = weights_},
          .name = "gather updated weights"},
         {});
}

sim::Bytes ResidentBytes(const TrainingSpec& training, int64_t parameters,
                         Holder holder) {
  const StateBytes state = StateBytesOf(training);
  const int zero = training.split.zero;
  const int64_t shards = ShardRanks(training.split);
  const auto share = [&](int64_t bytes, bool divided) {
    return sim::Bytes(divided ? (parameters + shards - 1) / shards * bytes
                              : parameters * bytes);
  };
  switch (holder) {
    case Holder::kWeights:
      // FSDP keeps only the FP32 shard; 16-bit weights exist while gathered.
      if (zero == 3 && shards > 1) {
        return share(state.master > 0 ? 0 : state.weights, true);
      }
      return share(state.weights, false);
    case Holder::kGradients:
      return share(state.gradients, zero >= 2);
    case Holder::kOptimizerState:
      return share(state.master + state.optimizer, zero >= 1);
    default:
      return sim::Bytes(0);
  }
}

}  // namespace models
