// Microbatches go in groups of p: a stage runs a group through its first chunk,
// then the same group through its second, and so on; backward passes visit the
// chunks the other way round. (p-1-stage)·2 + (v-1)·p passes warm it up.
// Bubble (p-1)/(v·m) of the ideal time; Narayanan et al. 2021, section 2.2.
// A last group of fewer than p microbatches would deadlock, so there is none.
#include <algorithm>

#include "models/schedules/schedule.h"

namespace models {
namespace {

// All passes of one direction. REQUIRES: stages divides microbatches.
std::vector<Pass> Order(const PipelinePlace& place, bool backward) {
  std::vector<Pass> passes;
  for (int64_t first = 0; first < place.microbatches; first += place.stages) {
    const int64_t end = first + place.stages;
    for (int64_t c = 0; c < place.chunks; ++c) {
      for (int64_t mb = first; mb < end; ++mb) {
        passes.push_back({.backward = backward,
                          .chunk = backward ? place.chunks - 1 - c : c,
                          .microbatch = mb});
      }
    }
  }
  return passes;
}

int64_t WarmUp(const PipelinePlace& place) {
  return std::min(
      (place.stages - 1 - place.stage) * 2 + (place.chunks - 1) * place.stages,
      place.chunks * place.microbatches);
}

}  // namespace

std::vector<Pass> PlanInterleaved(const PipelinePlace& place) {
  const std::vector<Pass> forward = Order(place, false);
  const std::vector<Pass> backward = Order(place, true);
  const auto warm_up = static_cast<size_t>(WarmUp(place));
  std::vector<Pass> passes;
  size_t back = 0;
  for (size_t k = 0; k < forward.size(); ++k) {
    passes.push_back(forward[k]);
    if (k >= warm_up) passes.push_back(backward[back++]);
  }
  passes.insert(passes.end(),
                backward.begin() + static_cast<std::ptrdiff_t>(back),
                backward.end());
  return passes;
}

int64_t HeldByInterleaved(const PipelinePlace& place) {
  return std::min(WarmUp(place) + 1, place.chunks * place.microbatches);
}

}  // namespace models
