// How much a fleet takes before its objectives are missed, and how large a
// fleet a load takes.
//
//   Capacity c = HighestLoad(inputs, {});
//   c.at->load;       // 12.4 requests/s
//   c.limit;          // {kTtft, kCompute}: what is missed at c.beyond->load
//   FewestEngines(inputs, 40, {}).at->gpus;  // 8
//
// The n-th request is the same at every load, so that like is compared with
// like. The edge is first sought with few requests, then with four times as
// many around it, and so on while the two sides cannot be told apart.
#ifndef SCENARIOS_CAPACITY_H_
#define SCENARIOS_CAPACITY_H_

#include <cstdint>
#include <optional>

#include "scenarios/binding_limit.h"
#include "scenarios/load_probe.h"
#include "scenarios/serving_inputs.h"

namespace scenarios {

struct CapacityOptions {
  int64_t requests = 2000;  // of the first simulations; >= 100
  // Of loads: `beyond` exceeds `at` by so much of it, at most.
  double tolerance = 0.01;
  // Requests in all, beyond which no simulation is made longer.
  int64_t most_simulated = 300'000;
};

struct Capacity {
  // The last that meets the objectives, and the first found that does not.
  // Nothing meets: no `at`. Whatever was tried meets: no `beyond`.
  std::optional<Probe> at, beyond;
  Limit limit = {};  // of `beyond`
  // By the 95 % intervals of attainment: the last that surely meets, and the
  // first that surely does not; loads, or GPUs.
  std::optional<double> surely_meets, surely_misses;
  int64_t probes = 0, simulated = 0;  // simulations; requests in them

  // Whether the intervals of `at` and `beyond` lie on their sides of what is
  // wanted.
  bool separate() const {
    return at && beyond && at->surely_meets() && beyond->surely_misses();
  }
};

// Requests per second of an open workload, users of a closed loop.
// REQUIRES: Fits(inputs); HasLoad(inputs); there are objectives.
Capacity HighestLoad(const ServingInputs& inputs,
                     const CapacityOptions& options);

// Fleets with more or fewer engines of each kind, in the same proportions.
// REQUIRES: likewise; load > 0, and whole for a closed loop.
Capacity FewestEngines(const ServingInputs& inputs, double load,
                       const CapacityOptions& options);

}  // namespace scenarios

#endif  // SCENARIOS_CAPACITY_H_
