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
// ZeRO++ (zero_plus_plus.cc) gathers weights in 8 bits, gathers them for backward
// from a second copy among neighbours, and reduces gradients in 4 bits.
//
// Rajbhandari et al. 2020 (ZeRO); Zhao et al. 2023 (FSDP); Wang et al. 2023.
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

  // zero 3: gathers the weights of a unit for a pass, not before `after` has
  // run. zero < 3: kNoTensor.
  TensorId GatherUnit(int64_t parameters, TensorId after,
                      Phase pass = Phase::kForward);
  // zero 1, 2 with overlapped gathering: the updated weights of a unit arrive
  // under the first forward. Read the result in the unit's products. Else
  // kNoTensor.
  TensorId GatherUpdated(int64_t parameters);
  // zero 3: what the framework makes of what was gathered, before the unit's
  // products on the device. Read the result in these. kNoTensor: nothing was
  // gathered.
  TensorId Unpack(int64_t parameters, TensorId gathered);

  // `gradients` of a unit are complete; reduces them when the bucket is full.
  void Reduce(int64_t parameters, std::span<const TensorId> gradients);
  // Reduces what is left in the bucket.
  void Flush();
  // Reduces `parameters` after the backward pass, where reduction is not
  // overlapped; gathers updated weights where that is not overlapped.
  void ReduceAfterBackward(int64_t parameters);
  void GatherAfterStep(int64_t parameters);

  // Parameters of so many whose optimizer state this rank keeps off the device.
  int64_t OffloadedOf(int64_t parameters) const;

  bool sharded_weights() const { return training_.split.zero == 3; }
  // Ranks over which optimizer state, gradients or weights are divided, and the
  // axis on which they meet.
  int64_t shards() const { return shards_; }
  Axis shard_axis() const;

 private:
  void ReduceBucket(When when);
  TensorId ReduceInTwoHops(When when);
  // A copy between device and host, or the drives' part in it.
  TensorId OnHost(absl::string_view name, CollectiveKind kind, Axis axis,
                  sim::Bytes bytes, std::span<const TensorId> tensors,
                  When when, sim::Bytes output = sim::Bytes(0));
  TensorId FetchShard(int64_t parameters, TensorId after);
  void OffloadGradients(std::span<const TensorId> tensors, When when);
  TensorId QuantiseShard(int64_t parameters, TensorId after, Axis axis);
  // A kernel of the framework between two communications, on the stream of one.
  TensorId Between(absl::string_view name, int64_t read, int64_t written,
                   std::span<const TensorId> tensors, Axis axis, When when,
                   sim::Bytes output, int kernels = 1);
  TensorId Copy(absl::string_view name, sim::Bytes moved,
                std::span<const TensorId> tensors, When when);
  bool GathersUpdated() const;
  // Whether gradients go anywhere: to other ranks or off the device.
  bool moves_gradients() const {
    return replicas_ > 1 || training_.offload.updates();
  }
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
// Ranks with copies: copies · data · context, or Split::expert_copies.
int64_t ReplicasOf(const Split& split,
                   ParameterKind kind = ParameterKind::kDense);
// Ranks over which ZeRO divides: all replicas, or the group; one without ZeRO.
// Groups of experts' copies are as many as those of all else (Megatron's
// --num-distributed-optimizer-instances).
int64_t ShardRanks(const Split& split,
                   ParameterKind kind = ParameterKind::kDense);
// Layers of so many parameters whose weights may be gathered ahead of the one
// that runs.
int64_t LayersAhead(const Overlap& overlap, Phase pass,
                    int64_t layer_parameters);
// What a rank with these parameters keeps off the device.
OffDevice OffDeviceOf(const TrainingSpec& training, const HeldParameters& held);
// Bytes of one rank's part of the second copy of `parameters` weights.
sim::Bytes SecondShardBytes(const TrainingSpec& training, int64_t parameters);
// Shard ranks of one server, which the first hop of a reduction joins: as many
// as divide all of them.
int64_t NearRanks(const Split& split);
// Whether gradients leave the backward pass to be divided at once (zero 2 and
// 3), or to leave the device; else they are summed where they stay.
inline bool ShardsGradients(const TrainingSpec& training,
                            ParameterKind kind = ParameterKind::kDense) {
  return training.offload.gradients ||
         (training.split.zero >= 2 && ShardRanks(training.split, kind) > 1);
}

}  // namespace models

#endif  // MODELS_DATA_PARALLEL_H_
