// ZeRO++ (Wang et al. 2023, arXiv:2306.10209) as DeepSpeed runs it: weights are
// gathered in 8 bits (qwZ), for the backward pass from a second copy that
// neighbours keep between them (hpZ), and gradients are reduced in 4 bits by two
// all-to-alls, within servers and between them (qgZ).
//
// deepspeed/runtime/zero/partition_parameters.py, all_gather_coalesced;
// runtime/comm/coalesced_collectives.py, all_to_all_quant_reduce. Scales, one
// FP32 number for some thousand elements, are left out.
#include <algorithm>

#include "models/data_parallel.h"

namespace models {

int64_t NearRanks(const Split& split) {
  const int64_t shards = ShardRanks(split);
  int64_t near =
      std::clamp<int64_t>(split.server_ranks / split.tensor, 1, shards);
  while (shards % near != 0) --near;
  return near;
}

sim::Bytes SecondShardBytes(const TrainingSpec& training, int64_t parameters) {
  const int64_t ranks = training.split.second_shard;
  if (ranks == 1) return sim::Bytes(0);
  return sim::Bytes((parameters + ranks - 1) / ranks *
                    StateBytesOf(training).weights);
}

TensorId DataParallel::Between(absl::string_view name, int64_t read,
                               int64_t written,
                               std::span<const TensorId> tensors, Axis axis,
                               When when, sim::Bytes output, int kernels) {
  return b_.Add({.work = MemoryBound{.kind = Pointwise::kCast,
                                     .read = sim::Bytes(read),
                                     .written = sim::Bytes(written),
                                     .flops = sim::Flops(0),
                                     .kernels = kernels},
                 .name = name,
                 .when = when,
                 .beside = axis},
                tensors, output);
}

// A rank's part of a unit in 8 bits.
TensorId DataParallel::QuantiseShard(int64_t parameters, TensorId after,
                                     Axis axis) {
  const int64_t ranks = axis == Axis::kSecondShard
                            ? training_.split.second_shard
                            : shards_;
  const int64_t part = (parameters + ranks - 1) / ranks;
  return Between("quantise weights to send", part * BitsOf(weights_) / 8, part,
                 {&after, 1}, axis, When::kAlways, sim::Bytes(part));
}

// 4 bits travel to the ranks of the server, which sum their parts and quantise
// the sums; these travel to the same places of other servers, which sum them.
TensorId DataParallel::ReduceInTwoHops(When when) {
  const int64_t word = BitsOf(gradients_) / 8;
  const int64_t near = NearRanks(training_.split);
  const int64_t far = shards_ / near;
  const int64_t whole = bucket_parameters_;
  const int64_t part = (whole + near - 1) / near;
  const auto packed = [](int64_t elements) { return (elements + 1) / 2; };
  const auto exchange = [&](Axis axis, int64_t elements, TensorId reads) {
    const sim::Bytes bytes(packed(elements));
    return b_.Add({.work = Collective{.kind = CollectiveKind::kAllToAll,
                                      .axis = axis,
                                      .bytes = bytes,
                                      .dtype = DType::kInt4},
                   .name = "exchange gradients",
                   .when = when},
                  {reads}, bytes);
  };
  TensorId sum = Between("quantise gradients", whole * word, packed(whole),
                         bucket_, Axis::kShardNear, when,
                         sim::Bytes(packed(whole)));
  if (near > 1) sum = exchange(Axis::kShardNear, whole, sum);
  sum = Between("sum and quantise gradients", packed(whole), packed(part),
                {&sum, 1}, Axis::kShardNear, when, sim::Bytes(packed(part)));
  if (far > 1) sum = exchange(Axis::kShardFar, part, sum);
  // Dequantised whole, then added up by a kernel for each server.
  return Between("dequantise and sum gradients",
                 packed(part) + 2 * part * word, 2 * part * word, {&sum, 1},
                 far > 1 ? Axis::kShardFar : Axis::kShardNear, when,
                 sim::Bytes(part * word), static_cast<int>(1 + far));
}

}  // namespace models
