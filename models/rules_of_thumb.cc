#include "models/rules_of_thumb.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <span>

#include "models/model_spec.h"
#include "sim/units.h"

namespace models {

double BlockParameters(int64_t layers, int64_t hidden) {
  const auto h = static_cast<double>(hidden);
  return 12 * static_cast<double>(layers) * h * h;
}

sim::Flops ForwardFlops(double parameters, double tokens) {
  return sim::Flops(2 * parameters * tokens);
}

sim::Flops TrainingFlops(double parameters, double tokens) {
  return sim::Flops(6 * parameters * tokens);
}

sim::Flops MegatronStepFlops(const ModelSpec& model, int64_t batch,
                             int64_t sequence) {
  const auto tokens = static_cast<double>(batch * sequence);
  const auto s = static_cast<double>(sequence);
  const auto h = static_cast<double>(model.hidden);
  const auto layers = static_cast<double>(model.layers);
  const auto vocab = static_cast<double>(model.vocab);
  return sim::Flops(72 * tokens * layers * h * h *
                    (1 + s / (6 * h) + vocab / (12 * h * layers)));
}

sim::Flops ProductFlopsByHand(int64_t m, int64_t n, int64_t k) {
  return sim::Flops(static_cast<double>(m * n) *
                    static_cast<double>(2 * k - 1));
}

sim::Flops SoftmaxFlops(int64_t batch, int64_t heads, int64_t sequence) {
  return sim::Flops(3 * static_cast<double>(batch * heads) *
                    static_cast<double>(sequence * sequence));
}

double TrainingSeconds(sim::Flops flops, int64_t gpus, sim::FlopsPerSecond peak,
                       double utilization) {
  return flops.count() /
         (static_cast<double>(gpus) * peak.count() * utilization);
}

double RidgePoint(sim::FlopsPerSecond peak, sim::BytesPerSecond memory) {
  return peak.count() / memory.count();
}

double RingAllReduceShare(int64_t ranks) {
  return 2 * static_cast<double>(ranks - 1) / static_cast<double>(ranks);
}

double LargestModel(int64_t gpus, sim::Bytes capacity,
                    double bytes_per_parameter) {
  return static_cast<double>(gpus) * static_cast<double>(capacity.count()) /
         bytes_per_parameter;
}

double TokensPerVerification(double accept_rate, int64_t drafted) {
  if (accept_rate == 1) return static_cast<double>(drafted + 1);
  return (1 - std::pow(accept_rate, static_cast<double>(drafted + 1))) /
         (1 - accept_rate);
}

double SpeculativeSpeedup(double accept_rate, int64_t drafted,
                          double draft_cost) {
  return TokensPerVerification(accept_rate, drafted) /
         (1 + static_cast<double>(drafted) * draft_cost);
}

double PaddedShare(std::span<const int64_t> lengths) {
  assert(!lengths.empty());
  int64_t sum = 0, longest = 0;
  for (const int64_t length : lengths) {
    sum += length;
    longest = std::max(longest, length);
  }
  const int64_t padded = longest * static_cast<int64_t>(lengths.size());
  return static_cast<double>(padded - sum) / static_cast<double>(padded);
}

int64_t UnusedBlockTokens(std::span<const int64_t> lengths,
                          int64_t block_tokens) {
  int64_t unused = 0;
  for (const int64_t length : lengths) {
    unused += (block_tokens - length % block_tokens) % block_tokens;
  }
  return unused;
}

}  // namespace models
