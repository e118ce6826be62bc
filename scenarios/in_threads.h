// Calls a function for 0 .. count-1 from several threads.
//
//   InThreads(rows, 4, [&](size_t row) { results[row] = Predict(row); });
#ifndef SCENARIOS_IN_THREADS_H_
#define SCENARIOS_IN_THREADS_H_

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"

namespace scenarios {

// Each number once, in any order. REQUIRES: threads > 0.
inline void InThreads(size_t count, int threads,
                      absl::FunctionRef<void(size_t)> work) {
  std::atomic<size_t> next = 0;
  const auto take = [&] {
    for (size_t i = next++; i < count; i = next++) work(i);
  };
  std::vector<std::jthread> workers;
  for (int i = 1; i < threads; ++i) workers.emplace_back(take);
  take();
}

}  // namespace scenarios

#endif  // SCENARIOS_IN_THREADS_H_
