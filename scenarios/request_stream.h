// The requests of a workload, made one at a time from what was checked of it.
//
//   RequestPlan plan{…};  // workload.cc makes it
//   sim::Workload w = RequestStream(plan, plan.load);
//
// Everything drawn of a request or conversation comes from a stream of random
// numbers of its own, by its number: it is the same at every rate, and however
// the answers before it fare.
#ifndef SCENARIOS_REQUEST_STREAM_H_
#define SCENARIOS_REQUEST_STREAM_H_

#include <cstdint>
#include <limits>
#include <optional>

#include "scenarios/lengths.h"
#include "scenarios/traces/trace.h"
#include "sim/serving/workload.h"
#include "sim/units.h"

namespace scenarios {

// What a search over load may change.
struct OfferedLoad {
  enum class Arrivals : uint8_t {
    kPoisson,
    kGamma,
    kConstant,
    kClosedLoop,
    kAllAtOnce,
    kReplay,  // at the times of the trace
  };
  Arrivals arrivals = Arrivals::kAllAtOnce;
  double requests_per_second = 1;  // kPoisson, kGamma, kConstant
  double burstiness = 1;           // kGamma
  int64_t concurrency = 1;         // kClosedLoop
  double time_scale = 1;           // kReplay
  // In place of the plan's `requests` and `last`.
  std::optional<int64_t> requests = {};
};

struct TurnPlan {
  int64_t least = 1, most = 1;  // requests of a conversation
  double think_seconds = 0;     // mean
  LengthDraw new_input;
};

struct RequestPlan {
  OfferedLoad load;
  sim::Duration think;  // kClosedLoop
  // Requests, or conversations, in all.
  int64_t requests = std::numeric_limits<int64_t>::max();
  sim::Instant last{sim::kForever};  // nothing arrives later
  uint64_t seed = 1;

  std::optional<RequestTrace> trace;  // else `input` and `output`
  bool draw_rows = false;             // of the trace; else in order
  LengthDraw input, output;
  int64_t max_tokens = 0;  // 0: the answer's

  int64_t shared_prefix = 0;  // tokens
  int64_t groups = 1;
  int64_t chunk = 16;  // tokens that an id of a prefix stands for
  std::optional<TurnPlan> turns;
};

// When the n-th request of a replay arrives, in seconds, be it beyond the
// clock's end. REQUIRES: the trace has times.
double ReplaySeconds(const RequestPlan& plan, const OfferedLoad& load, int64_t n);

// REQUIRES: `plan` outlives it.
sim::Workload RequestStream(const RequestPlan& plan, const OfferedLoad& load);

}  // namespace scenarios

#endif  // SCENARIOS_REQUEST_STREAM_H_
