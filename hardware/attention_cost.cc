#include "hardware/attention_cost.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace hardware {
namespace {

constexpr int64_t kBlock = 128;  // queries, and keys, of a tile's step

double CeilDiv(int64_t a, int64_t b) {
  return static_cast<double>((a + b - 1) / b);
}

const AttentionLaw& LawOf(const Calibration& calibration,
                          const models::Attention& a) {
  return a.backward ? calibration.attention.backward[a.family]
                    : calibration.attention.forward[a.family];
}

struct Tiles {
  double count;
  double height;         // rows of a tile, padding included
  double longest, mean;  // blocks of keys that a tile passes over
};

Tiles TilesOf(const models::Attention& a, const AttentionLaw& law) {
  const int64_t sharing = law.packs_heads ? a.heads / a.kv_heads : 1;
  const int64_t rows = a.queries * sharing;
  // Few rows take tiles of half the height.
  const int64_t height = rows <= kBlock / 2 ? kBlock / 2 : kBlock;
  const double keys = CeilDiv(a.keys, kBlock);
  const double queries = CeilDiv(a.queries, kBlock);
  Tiles tiles{.count = static_cast<double>(a.batch * a.heads / sharing) *
                       CeilDiv(rows, height),
              .height = static_cast<double>(height),
              .longest = keys,
              .mean = keys};
  if (!a.causal) return tiles;
  // The first tile passes over `first` blocks, each one after it over one more;
  // with a window, until the blocks that hold its keys are all there are.
  const double first = std::max(0.0, keys - queries) + 1;
  const double last = first + queries - 1;
  const double most =
      a.window > 0 ? std::min(last, CeilDiv(a.window - 1, kBlock) + 1) : last;
  const double growing = std::clamp(most - first, 0.0, queries);
  tiles.longest = most;
  tiles.mean = most - growing * (growing + 1) / (2 * queries);
  return tiles;
}

// FLOP/s of one multiprocessor.
double Rate(const GpuSpec& gpu, const models::Attention& a,
            const AttentionLaw& law) {
  const double dim = static_cast<double>(a.head_dim + a.value_head_dim) / 2;
  const double speed =
      gpu.peak[a.dtype].count() / gpu.peak[models::DType::kBf16].count();
  const double efficiency =
      law.efficiency *
      (models::BitsOf(a.dtype) == 8 ? law.eight_bit_efficiency : 1);
  // Matrix products of a faster type leave the softmax as slow as it is.
  return efficiency * dim / (dim + law.half_dim * speed) *
         gpu.peak[a.dtype].count() / gpu.multiprocessors;
}

}  // namespace

bool Runs(const Calibration& calibration, const models::Attention& a) {
  return LawOf(calibration, a).efficiency > 0;
}

KernelCost CostOf(const GpuSpec& gpu, const Calibration& calibration,
                  const models::Attention& a) {
  assert(Runs(calibration, a));
  const AttentionLaw& law = LawOf(calibration, a);
  const Tiles tiles = TilesOf(a, law);

  // A step multiplies a tile by a block of keys: two products forward, five
  // backward.
  const auto qk = static_cast<double>(a.head_dim);
  const auto v = static_cast<double>(a.value_head_dim);
  const double per_pair = 2 * (a.backward ? 3 * qk + 2 * v : qk + v);
  const double step =
      per_pair * tiles.height * static_cast<double>(kBlock) / Rate(gpu, a, law);
  const double longest = tiles.longest * step + law.tile_seconds;
  const double mean = tiles.mean * step + law.tile_seconds;
  const double waves = tiles.count / gpu.multiprocessors;

  const models::Work work = models::WorkOf(a);
  KernelCost cost;
  cost.fixed = law.launch_seconds;
  cost.compute = std::max(
      longest, mean * ((1 - law.tail) * waves + law.tail * std::ceil(waves)));
  cost.memory = static_cast<double>((work.read + work.written).count()) /
                (law.memory_efficiency * gpu.memory_bandwidth.count());
  return cost;
}

}  // namespace hardware
