// Data-parallel communication around the layers of a chunk: reduction of
// gradients in buckets, and the gathering of sharded weights.
//
//   zero 0  all-reduce of gradient buckets, last microbatch
//   zero 1  reduce-scatter of buckets, last microbatch; all-gather of weights
//   zero 2  reduce-scatter of buckets, every microbatch; all-gather of weights
//   zero 3  all-gather of each layer before use, reduce-scatter after
//
// With a shard group smaller than all replicas (HSDP; Megatron's
// --num-distributed-optimizer-instances) all of it happens within the group,
// and the scattered gradients are then all-reduced over the groups.
//
// Rajbhandari et al. 2020 (ZeRO); Zhao et al. 2023 (FSDP).
#ifndef MODELS_DATA_PARALLEL_H_
#define MODELS_DATA_PARALLEL_H_

#include <cstdint>
#include <span>
#include <vector>

#include "models/op_graph.h"
#include "models/rank_shape.h"

namespace models {

// Which parameters: those of routed experts meet their copies elsewhere, and are
// reduced in buckets of their own (Megatron-Core's expert_parallel_buffers).
enum class ParameterKind : uint8_t { kDense, kExpert };

class DataParallel {
 public:
  DataParallel(const TrainingSpec& training, const RankShape& shape,
               OpGraphBuilder* builder,
               ParameterKind kind = ParameterKind::kDense);

  // zero 3: gathers the weights of a unit, not before `after` has run. Read the
  // result in the unit's products. zero < 3: kNoTensor.
  TensorId GatherUnit(int64_t parameters, TensorId after);
  // zero 1, 2 with overlapped gathering: the updated weights of a unit arrive
  // under the first forward. Read the result in the unit's products. Else
  // kNoTensor.
  TensorId GatherUpdated(int64_t parameters);
  // zero 3: the framework's copies of what was gathered, which come before the
  // unit's products on the device. kNoTensor: nothing was gathered.
  void Unpack(int64_t parameters, TensorId gathered);

  // `gradients` of a unit are complete; reduces them when the bucket is full.
  void Reduce(int64_t parameters, std::span<const TensorId> gradients);
  // Reduces what is left in the bucket.
  void Flush();
  // Reduces `parameters` after the backward pass, where reduction is not
  // overlapped; gathers updated weights where that is not overlapped.
  void ReduceAfterBackward(int64_t parameters);
  void GatherAfterStep(int64_t parameters);

  bool sharded_weights() const { return training_.split.zero == 3; }
  // Ranks over which optimizer state, gradients or weights are divided, and the
  // axis on which they meet.
  int64_t shards() const { return shards_; }
  Axis shard_axis() const;

 private:
  void ReduceBucket(When when);
  TensorId Copy(absl::string_view name, sim::Bytes moved,
                std::span<const TensorId> tensors, When when);
  bool GathersUpdated() const;
  // Of this kind of parameters: on which axis copies, shards and copies of a
  // shard meet.
  Axis data() const { return expert_ ? Axis::kExpertData : Axis::kData; }
  Axis shard() const { return expert_ ? Axis::kExpertShard : Axis::kShard; }
  Axis replicate() const {
    return expert_ ? Axis::kExpertReplicate : Axis::kReplicate;
  }

  const TrainingSpec& training_;
  OpGraphBuilder& b_;
  DType weights_, gradients_;
  bool expert_;
  int64_t replicas_;  // ranks with copies
  int64_t shards_;
  int64_t unit_parameters_;  // of the largest layer; buckets hold whole ones
  int64_t bucket_parameters_ = 0;
  std::vector<TensorId> bucket_;
};

// Bytes of one rank that live through the whole step, by holder.
sim::Bytes ResidentBytes(const TrainingSpec& training,
                         ParameterCounts parameters, Holder holder);
// The same where only some parameters train: the rest are weights alone, in the
// precision of the products or in four bits.
struct HeldParameters {
  ParameterCounts all, trained;
  int64_t nf4 = 0;  // of those that do not train
};
HeldParameters HeldOf(const RankShape& shape, std::span<const Chunk> chunks);
sim::Bytes HeldBytes(const TrainingSpec& training, const HeldParameters& held,
                     Holder holder);
// Ranks with copies: data · context, or Split::expert_copies.
int64_t ReplicasOf(const Split& split,
                   ParameterKind kind = ParameterKind::kDense);
// Ranks over which ZeRO divides: all replicas, or the group; one without ZeRO.
// Groups of experts' copies are as many as those of all else (Megatron's
// --num-distributed-optimizer-instances).
int64_t ShardRanks(const Split& split,
                   ParameterKind kind = ParameterKind::kDense);
// Whether gradients leave the backward pass to be divided at once (zero 2 and
// 3); else they are summed where they stay.
inline bool ShardsGradients(const Split& split,
                            ParameterKind kind = ParameterKind::kDense) {
  return split.zero >= 2 && ShardRanks(split, kind) > 1;
}

}  // namespace models

#endif  // MODELS_DATA_PARALLEL_H_
