// Runs a checked question about serving, and keeps what reports ask for.
//
//   ServingOutcome o = Serve(inputs);
//   o.ttft.Quantile(0.99);  // seconds, exact
//
// Every request that is done leaves four numbers; tokens are counted in
// buckets. A million requests take 40 MB.
#ifndef SCENARIOS_SERVING_RUN_H_
#define SCENARIOS_SERVING_RUN_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "scenarios/serving_inputs.h"
#include "scenarios/workload.h"
#include "sim/serving/fleet.h"
#include "sim/serving/histogram.h"

namespace scenarios {

// Seconds of each request, kept one by one.
class Latencies {
 public:
  void Add(double seconds) {
    values_.push_back(seconds);
    sorted_ = false;
    sum_ += seconds;
  }
  size_t size() const { return values_.size(); }
  double mean() const {
    return values_.empty() ? 0 : sum_ / static_cast<double>(values_.size());
  }
  // The smallest value that so large a share of all does not exceed; 0 of none.
  double Quantile(double share) const;

 private:
  mutable std::vector<double> values_;
  mutable bool sorted_ = true;
  double sum_ = 0;
};

// How a group of requests spent its time, summed.
struct PartSums {
  int64_t requests = 0;
  double queue = 0, prefill = 0, transfer = 0, decode = 0, interference = 0,
         preemption = 0;
  void Add(const sim::LatencyParts& parts);
};

// What the engines did between two moments of the report's time series.
struct Interval {
  double running = 0, waiting = 0, cache_used = 0;  // means over step time
  double busy_seconds = 0;                          // of all engines
  int64_t arrived = 0, done = 0, tokens = 0;
};

struct ServingOutcome {
  sim::Served served;
  // Of requests that are done and not excluded.
  Latencies ttft, tpot, e2e, normalised;
  int64_t counted = 0, input_tokens = 0, output_tokens = 0, cached_tokens = 0;
  // Of counted requests the first arrival; of all the last one, and the last
  // answer.
  sim::Instant first_arrival, last_arrival, last_done;
  bool until_last_arrival = false;  // what comes later counts for no throughput
  PartSums all, late;           // late: those that miss an objective
  std::vector<int64_t> good;    // by objective: requests that meet it …
  std::vector<int64_t> of_class;  // … of so many
  int64_t good_requests = 0;
  int64_t too_long = 0, queue_full = 0, unserved = 0;

  // Weighted by the time of steps, over all engines.
  double step_seconds = 0;
  double busy_seconds = 0;  // of stages that computed, over their number
  double running = 0, waiting = 0, cache_used = 0;  // sums of x · seconds
  double cache_waste = 0;
  double decode_sequences = 0;
  int64_t most_running = 0, most_waiting = 0;
  double most_cache_used = 0;
  double flops = 0, bytes = 0;  // of matrix products; least HBM traffic of one
                                // rank times the ranks
  std::vector<Interval> series;

  // What rates are over.
  double measured_seconds() const {
    return sim::InSeconds((until_last_arrival ? last_arrival : last_done) -
                          first_arrival);
  }
};

struct ServingOptions {
  WorkloadOptions load;
  // Told of what happens, beside the outcome.
  sim::Listeners listeners = {};
};

// REQUIRES: Fits(inputs).
ServingOutcome Serve(const ServingInputs& inputs,
                     const ServingOptions& options = {});

// Whether every kind of engine has room for its cache.
bool Fits(const ServingInputs& inputs);

// Of a request, by the objective of its class.
bool Meets(const Objective& objective, const sim::Job& job);

// Seconds of each token behind the first; 0 of an answer of one.
double TimePerToken(const sim::Job& job);

// The fleet that the inputs describe, ready to serve.
sim::Fleet FleetOf(const ServingInputs& inputs);

}  // namespace scenarios

#endif  // SCENARIOS_SERVING_RUN_H_
