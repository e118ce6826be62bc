// The engine's oracle: the same semantics, found in the plainest way. It steps
// from one change to the next and, at each, asks every task of every rank
// whether it may begin or end, until none may. No events, no lanes, no
// versions.
//
//   std::optional<NaiveTimeline> t = NaiveSimulate(program);
//   t->start[rank][task]   // ps
//
// Cost: O(tasks^2 · changes). For programs of some hundred tasks.
#ifndef TESTS_SIM_NAIVE_ENGINE_H_
#define TESTS_SIM_NAIVE_ENGINE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/program.h"

namespace sim {

struct NaiveTimeline {
  std::vector<std::vector<int64_t>> start, finish;  // [rank][task], ps
};

// Nothing if the program deadlocks.
std::optional<NaiveTimeline> NaiveSimulate(const Program& program);

}  // namespace sim

#endif  // TESTS_SIM_NAIVE_ENGINE_H_
