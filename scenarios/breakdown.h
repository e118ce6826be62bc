// Where a rank's step goes: every picosecond belongs to one part.
//
//   Breakdown b = BreakDown(outcome, outcome.ranks[0]);
//   b.parts[Part::kGemm];
//   // the parts sum to outcome.step, exactly
#ifndef SCENARIOS_BREAKDOWN_H_
#define SCENARIOS_BREAKDOWN_H_

#include "absl/strings/string_view.h"
#include "scenarios/run.h"
#include "sim/column.h"
#include "sim/units.h"

namespace scenarios {

enum class Part : uint8_t {
  kGemm,
  kAttention,
  kMemoryBound,
  kOptimizer,
  kSlowed,  // kernels took longer because communication ran beside them
  kTensor,  // communication that nothing hides, by what it is for
  kContext,
  kExpert,
  kData,
  kPipeline,
  kOffload,
  kLaunch,  // the device waits for the host
  kBubble,  // the device waits for other ranks
};
inline constexpr int kParts = 13;
absl::string_view NameOf(Part part);        // "gemm", "exposed_tp", …
absl::string_view DefinitionOf(Part part);  // one line

struct Breakdown {
  sim::Column<Part, sim::Duration> parts{kParts};
  sim::Duration recompute;  // of gemm, attention and memory-bound
  // Of exposed communication: what it takes longer because others use its
  // links; 0 where links are not shared.
  sim::Duration shared_links;
};

// The compute lane's tasks are parts of their own; a gap between two of them
// goes, instant by instant, to the communication that is running and ends
// within the gap (the one that ends last, if several), else to the launch if
// the next kernel was not yet launched, else to the bubble.
Breakdown BreakDown(const Outcome& outcome, const RecordedRank& rank);

}  // namespace scenarios

#endif  // SCENARIOS_BREAKDOWN_H_
