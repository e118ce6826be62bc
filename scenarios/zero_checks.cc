#include "scenarios/zero_checks.h"

#include "absl/strings/str_cat.h"

namespace scenarios {
namespace {

using models::Split;

absl::Status CheckSecondShard(const Inputs& inputs,
                              const sim::TextField& field) {
  const Split& s = inputs.training.split;
  const int64_t ranks = s.data * s.context;
  if (s.second_shard == 1) return absl::OkStatus();
  if (ranks % s.second_shard != 0) {
    return field.Error(absl::StrCat(s.second_shard, " does not divide the ",
                                    ranks, " data-parallel ranks; ",
                                    inputs.cluster.gpus_per_node,
                                    ", the GPUs of a server, is usual"));
  }
  if (!inputs.training.overlap.reshard_after_forward) {
    return field.Error(
        "needs overlap.reshard_after_forward: without it backward gathers "
        "nothing; 1 works");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckZero(const Inputs& inputs, const sim::TextField& field) {
  const Split& s = inputs.training.split;
  const struct {
    const char* name;
    bool set, hierarchical;
  } parts[] = {
      {"parallel.zero_hpz_partition_size", s.second_shard > 1, true},
      {"parallel.zero_quantized_weights", s.quantized_weights, false},
      {"parallel.zero_quantized_gradients", s.quantized_gradients, true}};
  for (const auto& part : parts) {
    const sim::TextField at = field.At(part.name);
    if (!part.set) continue;
    if (s.zero != 3) {
      return at.Error(
          "needs zero: 3, where weights are gathered for each layer");
    }
    if (part.hierarchical && s.shard_group > 0) {
      return at.Error(
          "shard_group has its own hierarchy; leave one of the two out");
    }
    if (part.hierarchical && inputs.model.experts) {
      return at.Error(
          "is modelled for dense models only; leave it out for one with "
          "experts");
    }
  }
  if (s.quantized_weights && inputs.training.fp8_param_gather) {
    return field.At("parallel.zero_quantized_weights")
        .Error("fp8_param_gather gathers 8 bits already; set one of the two");
  }
  return CheckSecondShard(inputs,
                          field.At("parallel.zero_hpz_partition_size"));
}

}  // namespace scenarios
