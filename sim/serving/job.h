// A request on its way through engines: how far it is, and what its time was
// spent on.
//
//   job.finish - job.request.arrival == Total(job.parts());
#ifndef SIM_SERVING_JOB_H_
#define SIM_SERVING_JOB_H_

#include <cstdint>

#include "sim/serving/request.h"
#include "sim/units.h"

namespace sim {

// Where the latency of a request comes from. The parts sum to it exactly.
struct LatencyParts {
  Duration queue = {};         // from the arrival to its first step
  Duration prefill = {};       // to the first token
  Duration transfer = {};      // of its keys and values to another engine, and the
                          // wait for room there
  Duration decode = {};        // further tokens
  Duration interference = {};  // what others' prompts add between these
  Duration preemption = {};    // put aside, and computed again

  Duration total() const {
    return queue + prefill + transfer + decode + interference + preemption;
  }
};

struct Job {
  Request request;
  int64_t computed = 0;   // tokens whose keys and values are there
  int64_t generated = 0;  // tokens, of request.output
  int64_t cached = 0;     // of the prompt, found in the cache at its start
  int preemptions = 0;
  uint32_t replica = 0;   // that made the last token
  bool elsewhere = false;  // its keys and values are not on the device (swapped)

  Instant started = {};      // its first step begins
  Instant first_token = {};  // there if generated > 0
  Instant last_token = {};
  Instant finish = {};
  bool has_started = false;
  // Put aside since then, until its next token.
  bool preempted = false;
  Instant preempted_at = {};
  Instant waits_since = {};  // at the engine where it is
  // An engine's clock of interference at the last token before it counts.
  Duration interference_mark = {};

  Duration transfer = {}, interference = {}, preemption = {};
  Duration preemption_before_first = {};  // of these, before the first token

  int64_t tokens() const { return request.input + generated; }
  // Tokens to compute before the next one comes out.
  int64_t needed() const { return tokens() - computed; }
  bool decoding() const { return generated > 0 && needed() == 1; }

  // Its keys and values came from another engine, and it waits for room.
  bool handed_on() const {
    return generated > 0 && computed > 0 && !elsewhere && !preempted;
  }
  // Its keys and values are lost, if there were any.
  void Lose(Instant now) {
    computed = 0;
    elsewhere = false;
    if (!has_started || preempted) return;
    preempted = true;
    preempted_at = now;
  }

  // REQUIRES: it is finished.
  LatencyParts parts() const {
    LatencyParts p;
    p.queue = started - request.arrival;
    p.prefill = first_token - started - preemption_before_first;
    p.transfer = transfer;
    p.interference = interference;
    p.preemption = preemption;
    p.decode = finish - first_token - transfer - interference -
               (preemption - preemption_before_first);
    return p;
  }
};

}  // namespace sim

#endif  // SIM_SERVING_JOB_H_
