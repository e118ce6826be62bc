#include "hardware/attention_cost.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "models/latent_attention.h"

namespace hardware {
namespace {

constexpr int64_t kBlock = 128;  // queries, and keys, of a tile's step
constexpr double kLong = 1e-3;   // seconds, by which clocks have sagged halfway

double CeilDiv(int64_t a, int64_t b) {
  return static_cast<double>((a + b - 1) / b);
}

int CacheBits(const models::Attention& a) {
  return models::BitsOf(a.cache.value_or(a.dtype));
}

const AttentionLaw& LawOf(const Calibration& calibration,
                          const models::Attention& a) {
  const AttentionLaws& laws = calibration.attention;
  if (a.backward) return laws.backward[a.family];
  const AttentionLaw& narrow = laws.eight_bit_cache[a.family];
  return CacheBits(a) == 8 && narrow.efficiency > 0 ? narrow
                                                    : laws.forward[a.family];
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
  if (a.seen_keys > 0) {
    // Each sequence ends in the middle of a block of keys and of a tile.
    tiles.count += a.sequences / 2 *
                   static_cast<double>(a.batch * a.heads / sharing);
    tiles.longest = CeilDiv(a.longest, kBlock);
    tiles.mean = std::min(a.seen_keys / kBlock + 0.5, tiles.longest);
    return tiles;
  }
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

// Into how many parts the keys of each tile are split.
int64_t SplitsOf(const GpuSpec& gpu, const AttentionLaw& law,
                 const models::Attention& a, const Tiles& tiles) {
  if (law.split_keys == 0) return 1;
  const auto idle = static_cast<int64_t>(gpu.multiprocessors / tiles.count);
  const int64_t parts = (a.keys + law.split_keys - 1) / law.split_keys;
  return std::clamp<int64_t>(idle, 1, parts);
}

// FLOP/s of one multiprocessor.
double Rate(const GpuSpec& gpu, const models::Attention& a,
            const AttentionLaw& law) {
  const double dim = static_cast<double>(a.head_dim + a.value_head_dim) / 2;
  const models::DType type =
      law.eight_bit_products && gpu.Supports(models::DType::kFp8)
          ? models::DType::kFp8
          : a.dtype;
  const double speed =
      gpu.peak[type].count() / gpu.peak[models::DType::kBf16].count();
  const double efficiency =
      law.efficiency *
      (models::BitsOf(type) == 8 ? law.eight_bit_efficiency : 1);
  // Matrix products of a faster type leave the softmax as slow as it is.
  return efficiency * dim / (dim + law.half_dim * speed) *
         gpu.peak[type].count() / gpu.multiprocessors;
}

// Seconds from the first tile's start to the last one's end.
double TilesSeconds(const GpuSpec& gpu, const AttentionLaw& law,
                    const Tiles& tiles, double step) {
  const double longest = tiles.longest * step + law.tile_seconds;
  const double mean = tiles.mean * step + law.tile_seconds;
  const double waves = tiles.count / gpu.multiprocessors;
  const double straggling =
      law.straggling * longest * std::clamp(waves - 1, 0.0, 1.0);
  const double seconds =
      std::max(longest, straggling + mean * ((1 - law.tail) * waves +
                                             law.tail * std::ceil(waves)));
  return seconds * (1 + law.power_sag * seconds / (seconds + kLong));
}

// Of the kernel that writes new keys and values to the cache.
double WriteSeconds(const GpuSpec& gpu, const AttentionLaw& law,
                    const models::Attention& a) {
  const auto keys = static_cast<double>(a.batch * a.queries * a.kv_heads *
                                        (a.head_dim + a.value_head_dim));
  const auto queries =
      static_cast<double>(a.batch * a.queries * a.heads * a.head_dim);
  const double bytes =
      keys * (2 + CacheBits(a) / 8.0) + law.query_copies * queries * 4;
  return law.write_seconds +
         bytes / (law.write_efficiency * gpu.memory_bandwidth.count());
}

}  // namespace

bool Runs(const Calibration& calibration, const models::Attention& a) {
  return LawOf(calibration, a).efficiency > 0;
}

KernelCost CostOf(const GpuSpec& gpu, const Calibration& calibration,
                  const models::Attention& attention) {
  const models::Attention a = models::AsMultiplied(attention);
  assert(Runs(calibration, a));
  const AttentionLaw& law = LawOf(calibration, a);
  Tiles tiles = TilesOf(a, law);
  const int64_t splits = SplitsOf(gpu, law, a, tiles);
  tiles.count *= static_cast<double>(splits);
  tiles.longest /= static_cast<double>(splits);
  tiles.mean /= static_cast<double>(splits);

  // A step multiplies a tile by a block of keys: two products forward, five
  // backward.
  const auto qk = static_cast<double>(a.head_dim);
  const auto v = static_cast<double>(a.value_head_dim);
  const double per_pair = 2 * (a.backward ? 3 * qk + 2 * v : qk + v);
  const double step =
      per_pair * tiles.height * static_cast<double>(kBlock) / Rate(gpu, a, law);

  const models::Work work = models::WorkOf(a);
  KernelCost cost;
  cost.fixed = law.launch_seconds;
  if (splits > 1) cost.fixed += law.combine_seconds;
  if (a.writes_cache) cost.fixed += WriteSeconds(gpu, law, a);
  cost.compute = TilesSeconds(gpu, law, tiles, step);
  cost.memory = static_cast<double>((work.read + work.written).count()) /
                (law.memory_efficiency * gpu.memory_bandwidth.count());
  return cost;
}

}  // namespace hardware
