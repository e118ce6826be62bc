#include "hardware/attention_cost.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace hardware {
namespace {

constexpr int64_t kBlock = 128;  // queries and keys of a block; few queries
                                 // take half a block

double Blocks(int64_t length) {
  return static_cast<double>((length + kBlock - 1) / kBlock);
}

const AttentionLaw& LawOf(const Calibration& calibration,
                          const models::Attention& a) {
  return a.backward ? calibration.attention_backward[a.family]
                    : calibration.attention_forward[a.family];
}

}  // namespace

bool Runs(const Calibration& calibration, models::AttentionFamily family) {
  return calibration.attention_forward[family].efficiency > 0 &&
         calibration.attention_backward[family].efficiency > 0;
}

KernelCost CostOf(const GpuSpec& gpu, const Calibration& calibration,
                  const models::Attention& a) {
  assert(Runs(calibration, a.family));
  const AttentionLaw& law = LawOf(calibration, a);
  const double multiprocessors = gpu.multiprocessors;

  // Blocks of queries, and the blocks of keys that a row of them sees.
  const double rows = Blocks(a.queries);
  const double all = Blocks(a.keys);
  const double past = a.causal ? std::max(0.0, all - rows) : 0;
  const double longest = a.causal ? past + rows : all;
  const double mean = a.causal ? past + (rows + 1) / 2 : all;

  // Matrix products over a pair of blocks: two forward, five backward.
  const auto qk = static_cast<double>(a.head_dim);
  const auto v = static_cast<double>(a.value_head_dim);
  const double per_pair = 2 * (a.backward ? 3 * qk + 2 * v : qk + v);
  const double height = a.queries <= kBlock / 2 ? kBlock / 2 : kBlock;
  const double pair_flops = per_pair * height * static_cast<double>(kBlock);

  const double dim = (qk + v) / 2;
  const double rate = law.efficiency * dim / (dim + law.half_dim) *
                      gpu.peak[a.dtype].count() / multiprocessors;
  const double pair_seconds = pair_flops / rate;
  const double tiles = static_cast<double>(a.batch * a.heads) * rows;
  const double waves = tiles / multiprocessors;
  const double mean_tile = mean * pair_seconds + law.tile_seconds;
  const double longest_tile = longest * pair_seconds + law.tile_seconds;

  const models::Work work = models::WorkOf(a);
  KernelCost cost;
  cost.fixed = law.launch_seconds;
  cost.compute = std::max(
      longest_tile,
      mean_tile * ((1 - law.tail) * waves + law.tail * std::ceil(waves)));
  cost.memory = static_cast<double>((work.read + work.written).count()) /
                (law.memory_efficiency * gpu.memory_bandwidth.count());
  return cost;
}

}  // namespace hardware
