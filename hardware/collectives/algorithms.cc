#include "hardware/collectives/algorithms.h"

namespace hardware {
namespace {

constexpr CollectiveAlgorithm kAlgorithms[] = {
    {"ring", RingAccepts, RingTraffic},
    {"tree", TreeAccepts, TreeTraffic},
    {"nvls", NvlsAccepts, NvlsTraffic},
    {"nvls-tree", NvlsTreeAccepts, NvlsTreeTraffic},
    {"pairwise", PairwiseAccepts, PairwiseTraffic},
    {"send-recv", SendRecvAccepts, SendRecvTraffic},
    {"one-shot", OneShotAccepts, OneShotTraffic},
    {"two-shot", TwoShotAccepts, TwoShotTraffic},
    {"multimem", MultimemAccepts, MultimemTraffic},
};

}  // namespace

std::span<const CollectiveAlgorithm> CollectiveAlgorithms() {
  return kAlgorithms;
}

const CollectiveAlgorithm* FindAlgorithm(absl::string_view name) {
  for (const CollectiveAlgorithm& algorithm : kAlgorithms) {
    if (algorithm.name == name) return &algorithm;
  }
  return nullptr;
}

sim::Bytes PartOf(sim::Bytes bytes, int64_t numerator, int64_t denominator) {
  // In two parts, so that bytes · numerator cannot overflow.
  const int64_t whole = bytes.count() / denominator;
  const int64_t rest = bytes.count() % denominator;
  return sim::Bytes(whole * numerator +
                    (rest * numerator + denominator - 1) / denominator);
}

}  // namespace hardware
