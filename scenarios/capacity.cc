#include "scenarios/capacity.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

#include "scenarios/edge.h"

namespace scenarios {
namespace {

// Seeks the edge between what meets and what does not, along one number.
class Seeker {
 public:
  using Try = std::function<Probe(double x, const ProbeOptions&)>;
  // `meets_below`: small numbers meet (loads), else large ones (engines).
  Seeker(Try attempt, bool meets_below, const CapacityOptions& options)
      : attempt_(std::move(attempt)),
        meets_below_(meets_below),
        options_(options) {}

  Capacity Seek(EdgeSearch search);

 private:
  static constexpr int64_t kLonger = 4;  // each round, times the last

  const Probe& At(double x);
  Edge Round(const EdgeSearch& search);
  void Keep(const Edge& edge);
  void MarkSure();

  Try attempt_;
  bool meets_below_;
  CapacityOptions options_;
  int64_t requests_ = 0;           // of this round
  std::map<double, Probe> round_;  // of this round, by x
  std::map<double, int> sure_;     // 1: meets; -1: misses
  Capacity found_;
  double at_ = 0, beyond_ = 0;  // their x
};

const Probe& Seeker::At(double x) {
  const auto [it, fresh] = round_.try_emplace(x);
  if (!fresh) return it->second;
  it->second = attempt_(
      x, {.requests = requests_,
          .most_requests = std::max(requests_, kLonger * kLonger *
                                                   options_.requests)});
  ++found_.probes;
  found_.simulated += it->second.requests;
  sure_[x] = it->second.surely_meets()    ? 1
             : it->second.surely_misses() ? -1
                                          : 0;
  return it->second;
}

Edge Seeker::Round(const EdgeSearch& search) {
  return FindEdge(search, [&](double x) {
    const Probe& probe = At(x);
    if (probe.meets()) return meets_below_ ? Side::kBelow : Side::kAbove;
    if (probe.idle()) return Side::kNowhere;
    return meets_below_ ? Side::kAbove : Side::kBelow;
  });
}

void Seeker::Keep(const Edge& edge) {
  const auto take = [&](const std::optional<double>& x, bool meets,
                        std::optional<Probe>* probe, double* where) {
    probe->reset();
    if (!x || At(*x).meets() != meets) return;
    *probe = At(*x);
    *where = *x;
  };
  const auto& [below, above] = edge;
  take(meets_below_ ? below : above, true, &found_.at, &at_);
  take(meets_below_ ? above : below, false, &found_.beyond, &beyond_);
}

// Of what is on its side of the edge that was found: a simulation with few
// requests may have been sure of the other.
void Seeker::MarkSure() {
  const double sign = meets_below_ ? 1 : -1;
  std::optional<double> meets, misses;
  for (const auto& [x, sure] : sure_) {
    if (sure > 0 && found_.at && sign * x <= sign * at_ &&
        (!meets || sign * x > sign * *meets)) {
      meets = x;
    }
    if (sure < 0 && found_.beyond && sign * x >= sign * beyond_ &&
        (!misses || sign * x < sign * *misses)) {
      misses = x;
    }
  }
  found_.surely_meets = meets;
  found_.surely_misses = misses;
}

Capacity Seeker::Seek(EdgeSearch search) {
  constexpr double kCoarse = 0.04;
  const double tolerance = search.tolerance;
  search.tolerance = std::max(tolerance, search.whole ? 0.0 : kCoarse);
  requests_ = options_.requests;
  Keep(Round(search));
  search.tolerance = tolerance;
  search.growth = 1 + kCoarse;
  for (bool close = false; found_.at && found_.beyond; close = true) {
    if (close && found_.separate()) break;
    // Two sides and a step between them, at least.
    const int64_t longer = found_.separate() ? requests_ : kLonger * requests_;
    if (found_.simulated + 3 * longer > options_.most_simulated) break;
    if (longer > requests_) round_.clear();
    requests_ = longer;
    search.start = at_;
    Keep(Round(search));
    search.growth = 1 + 2 * tolerance;
  }
  MarkSure();
  return std::move(found_);
}

// So many times the scenario's engines over the greatest common divisor of the
// numbers of its kinds.
int64_t UnitsOf(const ServingInputs& inputs) {
  int64_t units = 0;
  for (const ServingPool& pool : inputs.pools) {
    units = std::gcd(units, pool.replicas);
  }
  return units;
}

ServingInputs WithUnits(const ServingInputs& inputs, int64_t units) {
  ServingInputs changed = inputs;
  const int64_t own = UnitsOf(inputs);
  for (ServingPool& pool : changed.pools) {
    pool.replicas = pool.replicas / own * units;
  }
  return changed;
}

}  // namespace

Capacity HighestLoad(const ServingInputs& inputs,
                     const CapacityOptions& options) {
  const bool closed = IsClosedLoop(inputs);
  const double start = LoadOf(inputs);
  constexpr double kMostUsers = 65536, kMostRate = 1e6, kLeastRate = 0.01;
  Capacity capacity =
      Seeker(
          [&](double load, const ProbeOptions& probe) {
            return ProbeLoad(inputs, load, probe);
          },
          true, options)
          .Seek({.start = start,
                 .least = closed ? 1 : std::min(start, kLeastRate),
                 .most = std::max(start, closed ? kMostUsers : kMostRate),
                 .growth = 2,
                 .tolerance = options.tolerance,
                 .whole = closed});
  if (capacity.beyond) capacity.limit = LimitOf(inputs, *capacity.beyond);
  return capacity;
}

Capacity FewestEngines(const ServingInputs& inputs, double load,
                       const CapacityOptions& options) {
  constexpr double kMostEngines = 65536;
  const int64_t own = UnitsOf(inputs);
  int64_t engines = 0;
  for (const ServingPool& pool : inputs.pools) engines += pool.replicas;
  const auto each = static_cast<double>(engines / own);
  Capacity capacity =
      Seeker(
          [&](double units, const ProbeOptions& probe) {
            return ProbeLoad(WithUnits(inputs, static_cast<int64_t>(units)),
                             load, probe);
          },
          false, options)
          .Seek({.start = static_cast<double>(own),
                 .least = 1,
                 .most = std::max(static_cast<double>(own), kMostEngines / each),
                 .growth = 2,
                 .tolerance = 0,
                 .whole = true});
  if (capacity.beyond) capacity.limit = LimitOf(inputs, *capacity.beyond);
  const double gpus =
      static_cast<double>(inputs.gpus()) / static_cast<double>(own);
  for (std::optional<double>* sure :
       {&capacity.surely_meets, &capacity.surely_misses}) {
    if (*sure) **sure *= gpus;
  }
  return capacity;
}

}  // namespace scenarios
