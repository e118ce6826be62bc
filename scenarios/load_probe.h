// One load put to a fleet, long enough to tell what it settles to: whether the
// objectives are met, how sure that is, and what the requests met with.
//
//   Probe p = ProbeLoad(inputs, 12.5, {.requests = 2000});
//   p.meets();           // often enough, and the queue does not grow
//   p.surely_meets();    // and so does the whole 95 % interval
//
// Judged are the requests that arrive when the fleet has filled: not the first
// fifth of an open load, not the first two rounds of a closed loop.
#ifndef SCENARIOS_LOAD_PROBE_H_
#define SCENARIOS_LOAD_PROBE_H_

#include <cstdint>
#include <vector>

#include "scenarios/serving_inputs.h"
#include "scenarios/serving_run.h"

namespace scenarios {

// Where a share lies, at 95 %.
struct Confidence {
  double low = 0, high = 1;
};

// Wilson's score interval of a share of so many independent draws (Brown, Cai
// and DasGupta 2001, equation 4), which may be a fraction. REQUIRES: draws > 0.
Confidence WilsonInterval(double share, double draws);

// Of the good ones among requests in the order of arrival. Late requests come
// in bunches: the interval is that of as many independent draws as have the
// variance which the means of 20 batches show. Of none: 1.
Confidence ShareInterval(const std::vector<bool>& good);

// Of one objective.
struct Attained {
  int64_t good = 0, of = 0;
  double wanted = 0;
  Confidence range = {};
  double share() const {
    return of > 0 ? static_cast<double>(good) / static_cast<double>(of) : 1;
  }
};

struct Probe {
  double load = 0;  // requests/s, or users
  int64_t engines = 0, gpus = 0;
  int64_t requests = 0;  // simulated
  std::vector<Attained> attained = {};
  // Not: the wait grows for as long as requests arrive; of a closed loop, where
  // no objective bounds waits: more users wait than are served.
  bool stable = true;
  double wait_growth = 0;  // seconds per second

  // Of the judged requests.
  Latencies ttft = {}, tpot = {}, e2e = {};
  PartSums all = {}, late = {};
  int64_t judged = 0, missed_ttft = 0, missed_tpot = 0, missed_e2e = 0,
          refused = 0;
  double requests_per_second = 0, output_tokens_per_second = 0;  // done in time
  double present = 0;  // requests at the fleet, mean over time

  // Of the engines, over the whole run.
  double busy = 0, running = 0, cache_used = 0;  // means; running: in a step
  int64_t preemptions = 0;

  bool meets() const;
  bool surely_meets() const;
  bool surely_misses() const;
  // Hardly ever two requests at once: less load would change nothing.
  bool idle() const;
};

struct ProbeOptions {
  int64_t requests = 2000;  // at least …
  // … and so many at most, where it takes more until a run is five times as
  // long as a request.
  int64_t most_requests = 32000;
};

// `load` is in requests per second, or in users of a closed loop (then whole).
// REQUIRES: Fits(inputs); HasLoad(inputs); load > 0; there are objectives.
Probe ProbeLoad(const ServingInputs& inputs, double load,
                const ProbeOptions& options);

// Whether the workload has a rate or a number of users to change.
bool HasLoad(const ServingInputs& inputs);
bool IsClosedLoop(const ServingInputs& inputs);
// The scenario's own. REQUIRES: HasLoad(inputs).
double LoadOf(const ServingInputs& inputs);

}  // namespace scenarios

#endif  // SCENARIOS_LOAD_PROBE_H_
