#include "models/expert_load.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

namespace models {
namespace {

constexpr int kDraws = 5;

// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) of two counters, in [0, 1).
double Uniform(uint64_t draw, uint64_t expert) {
  uint64_t z = (draw << 32) + expert + 1;
  z *= 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1p-53;
}

// The value below which a part u of the density x^-alpha on [least, most] lies.
double PowerLawQuantile(double u, double alpha, double least, double most) {
  const double low = std::pow(least, 1 - alpha);
  const double high = std::pow(most, 1 - alpha);
  return std::pow((high - low) * u + low, 1 / (1 - alpha));
}

int64_t RoomBelow(std::span<const int64_t> values, int64_t level) {
  int64_t room = 0;
  for (const int64_t value : values)
    room += std::max<int64_t>(0, level - value);
  return room;
}

// Adds `amount` ones, each to the least value. REQUIRES: no value is above
// `most`, and there is room for `amount` below it.
void RaiseLeast(std::span<int64_t> values, int64_t amount, int64_t most) {
  int64_t level = *std::min_element(values.begin(), values.end());
  for (int64_t step = most - level; step > 0;) {
    const int64_t half = (step + 1) / 2;
    if (RoomBelow(values, level + half) <= amount) {
      level += half;
      step -= half;
    } else {
      step = half - 1;
    }
  }
  amount -= RoomBelow(values, level);
  for (int64_t& value : values) {
    value = std::max(value, level);
    if (value == level && amount > 0) {
      ++value;
      --amount;
    }
  }
}

// Spreads `amount` ones over the ranks in turn, each to the rank's least value
// while that is below `most`.
void RaiseByRank(std::span<int64_t> values, size_t per_rank, int64_t amount,
                 int64_t most) {
  const auto ranks = static_cast<int64_t>(values.size() / per_rank);
  while (amount > 0) {
    const int64_t before = amount;
    const int64_t share = std::max<int64_t>(1, amount / ranks);
    for (size_t at = 0; at < values.size(); at += per_rank) {
      const std::span<int64_t> own = values.subspan(at, per_rank);
      const int64_t taken = std::min({share, amount, RoomBelow(own, most)});
      if (taken == 0) continue;
      RaiseLeast(own, taken, most);
      amount -= taken;
    }
    if (amount == before) return;
  }
}

// Before the sum is right.
std::vector<int64_t> RoundedDraw(const Routing& r, double alpha,
                                 uint64_t draw) {
  const bool sparse = r.tokens * r.top_k <= r.experts;
  const double least = sparse ? 0.01 : 1;
  const double most = sparse ? 2 : 0.8 * static_cast<double>(r.tokens);
  std::vector<double> weights;
  for (int64_t e = 0; e < r.experts; ++e) {
    weights.push_back(PowerLawQuantile(Uniform(draw, static_cast<uint64_t>(e)),
                                       alpha, least, most));
  }
  const double scale = static_cast<double>(r.tokens * r.top_k) /
                       std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<int64_t> load;
  for (const double weight : weights) {
    load.push_back(static_cast<int64_t>(std::nearbyint(weight * scale)));
  }
  return load;
}

int64_t Missing(const Routing& r, const std::vector<int64_t>& load) {
  return r.tokens * r.top_k -
         std::accumulate(load.begin(), load.end(), int64_t{0});
}

// Makes the sum right, at most `tokens` rows an expert.
void SettleByRank(const Routing& r, std::vector<int64_t>& load) {
  for (int64_t& rows : load) rows = std::min(rows, r.tokens);
  const auto per_rank = static_cast<size_t>(r.experts / r.ranks);
  const int64_t missing = Missing(r, load);
  if (missing > 0) {
    RaiseByRank(load, per_rank, missing, r.tokens);
  } else if (missing < 0) {
    // Lowering the fullest is raising the least of the negated.
    for (int64_t& rows : load) rows = -rows;
    RaiseByRank(load, per_rank, -missing, 0);
    for (int64_t& rows : load) rows = -rows;
  }
}

// Makes the sum right: ones more from the fullest expert on, ones less from the
// emptiest that has any.
void SettleByFullest(const Routing& r, std::vector<int64_t>& load) {
  std::vector<size_t> order(load.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return load[a] > load[b]; });
  int64_t missing = Missing(r, load);
  for (size_t i = 0; missing > 0; i = (i + 1) % order.size(), --missing) {
    ++load[order[i]];
  }
  for (size_t i = order.size(); missing < 0; ++missing) {
    while (load[order[i - 1]] == 0) i = i > 1 ? i - 1 : order.size();
    --load[order[i - 1]];
    i = i > 1 ? i - 1 : order.size();
  }
}

}  // namespace

std::vector<int64_t> BalancedLoad(const Routing& r) {
  const int64_t stride = (r.experts + r.top_k - 1) / r.top_k;
  std::vector<int64_t> load(static_cast<size_t>(r.experts));
  // Every `experts` tokens put top_k rows on each expert.
  const int64_t cycles = r.tokens >= stride ? r.tokens / r.experts : 0;
  for (int64_t& rows : load) rows = cycles * r.top_k;
  for (int64_t t = cycles * r.experts; t < r.tokens; ++t) {
    const int64_t first = r.tokens >= stride ? t : t * stride / r.tokens;
    for (int64_t i = 0; i < r.top_k; ++i) {
      ++load[static_cast<size_t>((first + i * stride) % r.experts)];
    }
  }
  load.resize(static_cast<size_t>(r.experts / r.ranks));
  return load;
}

std::vector<int64_t> PowerLawDraw(const Routing& r, const PowerLaw& law,
                                  uint64_t draw) {
  std::vector<int64_t> load = RoundedDraw(r, law.alpha, draw);
  if (law.to_fullest) {
    SettleByFullest(r, load);
  } else {
    SettleByRank(r, load);
  }
  const auto per_rank = static_cast<size_t>(r.experts / r.ranks);
  size_t busiest = 0;
  int64_t most = -1;
  for (size_t at = 0; at < load.size(); at += per_rank) {
    const auto begin = load.begin() + static_cast<ptrdiff_t>(at);
    const int64_t rows = std::accumulate(
        begin, begin + static_cast<ptrdiff_t>(per_rank), int64_t{0});
    if (rows > most) {
      most = rows;
      busiest = at;
    }
  }
  std::swap_ranges(load.begin(),
                   load.begin() + static_cast<ptrdiff_t>(per_rank),
                   load.begin() + static_cast<ptrdiff_t>(busiest));
  return load;
}

ExpertRows BalancedRows(const Routing& routing) {
  return RowsOf(BalancedLoad(routing));
}

ExpertRows PowerLawRows(const Routing& routing, const PowerLaw& law) {
  const auto per_rank = static_cast<size_t>(routing.experts / routing.ranks);
  ExpertRows mean;
  for (uint64_t draw = 0; draw < kDraws; ++draw) {
    const std::vector<int64_t> load = PowerLawDraw(routing, law, draw);
    const ExpertRows rows = RowsOf(std::span(load).first(per_rank));
    mean.rows += rows.rows / kDraws;
    mean.active += rows.active / kDraws;
    for (size_t i = 0; i < mean.tiles.size(); ++i) {
      mean.tiles[i] += rows.tiles[i] / kDraws;
    }
  }
  return mean;
}

}  // namespace models
