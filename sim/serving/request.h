// A request to a language model: so many tokens in, so many tokens out.
//
//   Request r{.id = 7, .arrival = {Seconds(1.5)}, .input = 1024, .output = 256};
//
// The simulation knows beforehand how long an answer gets; the engine it
// simulates does not, but for what the request allows (`most_output`).
#ifndef SIM_SERVING_REQUEST_H_
#define SIM_SERVING_REQUEST_H_

#include <cstdint>
#include <vector>

#include "sim/units.h"

namespace sim {

struct Request {
  int64_t id = 0;        // in the order in which a workload makes them
  Instant arrival = {};       // at the router
  int64_t input = 1;     // tokens of the prompt, >= 1
  int64_t output = 1;    // tokens generated, >= 1
  // Tokens that the request may generate (max_tokens), >= output; what engines
  // reserve that promise never to evict. 0: `output`.
  int64_t most_output = 0;
  int priority = 0;      // lower goes first, as in vLLM
  uint32_t model = 0;    // of those that a fleet serves
  uint32_t slo_class = 0;
  int64_t session = -1;  // user or conversation; -1: on its own
  // What the sequence, prompt and answer, consists of: one id for each whole
  // chunk of `chunk` tokens. Equal ids stand for equal tokens behind equal
  // prefixes, so that cached keys and values can serve both. May stop early:
  // what lies behind is the request's own.
  std::vector<uint64_t> prefix = {};
  int64_t chunk = 0;     // tokens; > 0 where there is a prefix

  int64_t reserved_output() const {
    return most_output > 0 ? most_output : output;
  }
};

}  // namespace sim

#endif  // SIM_SERVING_REQUEST_H_
