// Engines behind a router, and the clock that they share: requests arrive, are
// spread, wait, run, move on to other engines, fail over; engines start and
// stop.
//
//   Fleet fleet{.kinds = {kind}, .replicas = {0, 0}};  // two of one kind
//   Serve(fleet, &workload, {.on_done = [&](const Job& j) { … }});
//
// A request refused or never served is passed to on_dropped, so that none is
// lost without a word.
#ifndef SIM_SERVING_FLEET_H_
#define SIM_SERVING_FLEET_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "sim/serving/job.h"
#include "sim/serving/replica.h"
#include "sim/serving/router.h"
#include "sim/serving/workload.h"

namespace sim {

enum class Role : uint8_t {
  kBoth,
  kPrefill,  // prompts, up to the first token
  kDecode,   // the rest, of requests that engines for prompts hand on
};

// Engines that are alike.
struct ReplicaKind {
  EnginePolicy policy;
  KvPool::Options cache;
  StepCost cost;
  Role role = Role::kBoth;
  uint32_t model = 0;  // that it serves (Request::model)
  // What the front end of each engine, which takes requests one by one, takes
  // for one, and for each token of its prompt: HTTP, tokenizer.
  Duration admit = {}, admit_token = {};
  // Of its keys and values on the way to another engine: bytes of a token, and
  // the rate of its network ports together, per direction; a message's latency.
  Bytes kv_per_token = {};
  BytesPerSecond network = {};
  Duration network_latency = {};
  Duration cold_start = {};  // from the decision to start one until it serves
};

// Keeps the requests of each engine near a target, by starting and stopping
// engines of kind 0.
struct Autoscaling {
  int64_t target_outstanding = 0;  // requests of an engine; 0: off
  int64_t least = 1, most = 1;     // engines
  Duration interval = {};  // between two decisions; above zero where it is on
  Duration patience =
      {};  // so long too few requests before an engine is stopped
};

// An engine is down from `at` on, for so long, and all that it kept is lost;
// also what was on its way to it or from it. Of failures that overlap the later
// end counts; an engine that is not up then does not fail.
struct Failure {
  size_t replica = 0;
  Instant at = {};
  Duration lasts = {};
};

struct Fleet {
  std::vector<ReplicaKind> kinds = {};
  std::vector<size_t> replicas = {};  // by row, its kind; those that start at 0
  RouterKind router = RouterKind::kLeastOutstanding;
  uint64_t seed = 1;
  // Requests that may wait at an engine; one more is refused. 0: any number.
  int64_t max_waiting = 0;
  // From a request's arrival until the router sees it: the way in.
  Duration request_overhead = {};
  Autoscaling autoscaling = {};
  std::vector<Failure> failures = {};
  Duration most = kForever;  // the clock stops there
};

enum class Drop : uint8_t {
  kTooLong,  // no engine can hold it, or may
  kQueueFull,
  kUnserved,  // not done when the clock stopped
};

// One step of one engine, as it ends.
struct StepRecord {
  uint32_t replica = 0;
  int microbatch = 0;
  Instant begin = {}, end = {};
  const StepWork* work = nullptr;
  const Replica* engine = nullptr;  // after the step
};

// A request's keys and values on their way.
struct TransferRecord {
  const Job* job = nullptr;
  uint32_t from = 0, to = 0;
  Bytes bytes = {};
  Instant begin = {}, end = {};
};

// Where the router sends a request, to its first engine or to a further one.
struct RouteRecord {
  const Job* job = nullptr;
  uint32_t replica = 0;
  Instant at = {};
  const Replica* engine = nullptr;  // before it has the request
};

// Whom to tell; any may be null.
struct Listeners {
  std::function<void(const Request&)> on_arrive = {};
  std::function<void(const RouteRecord&)> on_route = {};
  std::function<void(const Job&, JobEvent, uint32_t replica, Instant)> on_job =
      {};
  std::function<void(const Job&)> on_done = {};
  std::function<void(const Request&, Drop)> on_dropped = {};
  std::function<void(const StepRecord&)> on_step = {};
  std::function<void(const TransferRecord&)> on_transfer = {};
  // An engine begins or ends its service.
  std::function<void(uint32_t replica, Instant, bool up)> on_replica = {};
};

struct Served {
  Instant end = {};  // when the last request was done
  Histogram gaps;    // between two tokens of a request
  int64_t arrived = 0, done = 0, dropped = 0;
  int64_t tokens = 0;       // generated, of requests done or not
  int64_t lost_tokens = 0;  // of those, of requests that were dropped late
  int64_t preemptions = 0;
  int64_t steps = 0;
  double replica_seconds = 0;        // that engines were up or starting
  std::vector<size_t> kind_of = {};  // every engine that ever was
};

// REQUIRES: kinds and replicas are there; a fleet that has engines for prompts
// only has engines for the rest, of the same model, and a network on both.
Served Serve(const Fleet& fleet, Workload* workload,
             const Listeners& listeners);

}  // namespace sim

#endif  // SIM_SERVING_FLEET_H_
