// What an engine does that mixes and cuts prompts, first come first served,
// recomputes what it put aside, and caches no prefixes: by the rules of vLLM
// V1's scheduler, one sequence after another, with no step kept in flight.
//
//   NaiveEngine engine{.blocks = 10, .block_tokens = 4, .seqs = 8,
//                      .tokens = 32, .cost = cost};
//   engine.Run(requests);  // when each was started, answered and finished
#ifndef TESTS_SIM_SERVING_NAIVE_ENGINE_H_
#define TESTS_SIM_SERVING_NAIVE_ENGINE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/serving/request.h"
#include "sim/serving/step.h"

namespace sim {

struct NaiveSequence {
  Request request;
  int64_t computed = 0, generated = 0, blocks = 0;
  int preemptions = 0;
  Instant started = {}, first_token = {}, finish = {};
  int64_t now = 0;  // tokens of the step
  bool has_started = false;
  int64_t left() const { return request.input + generated - computed; }
};

struct NaiveEngine {
  int64_t blocks = 0, block_tokens = 16, seqs = 1, tokens = 1, chunk = 0;
  StepCost cost;
  int64_t steps = 0;
  std::vector<NaiveSequence> all = {};
  std::vector<size_t> waiting = {}, running = {};  // rows; by arrival, by start
  int64_t budget = 0;
  bool put_aside = false;

  bool Hold(NaiveSequence* s, int64_t upto) {
    const int64_t more = (upto + block_tokens - 1) / block_tokens - s->blocks;
    if (more > blocks) return false;
    if (more > 0) {
      blocks -= more;
      s->blocks += more;
    }
    return true;
  }
  void Drop(NaiveSequence* s) {
    blocks += s->blocks;
    s->blocks = 0;
  }
  int64_t Share(const NaiveSequence& s) const {
    const bool decodes = s.generated > 0 && s.left() == 1;
    const int64_t most = chunk > 0 && !decodes ? chunk : tokens;
    return std::min({s.left(), most, budget});
  }
  void PutLastAside() {
    NaiveSequence& s = all[running.back()];
    Drop(&s);
    s.computed = s.now = 0;
    ++s.preemptions;
    waiting.insert(
        std::upper_bound(waiting.begin(), waiting.end(), running.back()),
        running.back());
    running.pop_back();
    put_aside = true;
  }
  void Plan(Instant now) {
    budget = tokens;
    put_aside = false;
    for (size_t i = 0; i < running.size() && budget > 0; ++i) {
      NaiveSequence& s = all[running[i]];
      const int64_t share = Share(s);
      while (i < running.size() && !Hold(&s, s.computed + share)) {
        PutLastAside();
      }
      if (i == running.size()) break;
      s.now = share;
      budget -= share;
    }
    while (!put_aside && !waiting.empty() && budget > 0 &&
           static_cast<int64_t>(running.size()) < seqs) {
      NaiveSequence& s = all[waiting.front()];
      const int64_t share = Share(s);
      if (!Hold(&s, share)) break;
      if (!s.has_started) s.started = now;
      s.has_started = true;
      s.now = share;
      budget -= share;
      running.push_back(waiting.front());
      waiting.erase(waiting.begin());
    }
  }
  StepWork Work() const {
    StepWork w;
    for (const size_t row : running) {
      const NaiveSequence& s = all[row];
      if (s.now == 0) continue;
      if (s.generated > 0 && s.left() == 1) {
        ++w.decodes;
        ++w.decode_tokens;
        w.decode_keys += s.computed + 1;
      } else {
        w.prefills.push_back({s.now, s.computed + s.now, s.now == s.left()});
      }
    }
    return w;
  }
  void Finish(Instant now) {
    for (const size_t row : running) {
      NaiveSequence& s = all[row];
      s.computed += s.now;
      if (s.now > 0 && s.left() == 0 && ++s.generated == 1) s.first_token = now;
      s.now = 0;
      if (s.generated < s.request.output) continue;
      s.finish = now;
      Drop(&s);
    }
    std::erase_if(running, [&](size_t row) {
      return all[row].generated == all[row].request.output;
    });
  }
  // REQUIRES: in order of arrival, and each fits alone.
  void Run(const std::vector<Request>& requests) {
    for (const Request& r : requests) all.push_back({.request = r});
    size_t next = 0;
    Instant now;
    while (next < all.size() || !waiting.empty() || !running.empty()) {
      if (waiting.empty() && running.empty()) {
        now = std::max(now, all[next].request.arrival);
      }
      while (next < all.size() && all[next].request.arrival <= now) {
        waiting.push_back(next++);
      }
      Plan(now);
      const StepTime time = cost(Work());
      now = now + time.host + time.stage + time.last;
      Finish(now);
      ++steps;
    }
  }
};

}  // namespace sim

#endif  // TESTS_SIM_SERVING_NAIVE_ENGINE_H_
