// Runs a checked question: lower, fold, simulate, replay memory.
//
//   absl::StatusOr<Inputs> inputs = Load("llama3-70b.textproto");
//   Outcome outcome = Execute(*inputs).value();
//   outcome.step;
//
// Execute fails only on a step too long for the simulated clock (an operator of
// over an hour, or days in all), or if a program deadlocks, which is a fault of
// a schedule.
#ifndef SCENARIOS_RUN_H_
#define SCENARIOS_RUN_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "hardware/lowering.h"
#include "scenarios/inputs.h"
#include "sim/engine.h"
#include "sim/fold.h"
#include "sim/ledger.h"

namespace scenarios {

// A rank whose times were recorded, and how many ranks it speaks for.
struct RecordedRank {
  sim::RankId rank;    // in Outcome::program()
  int64_t number = 0;  // of the unfolded program
  int64_t stage = 0;   // its pipeline stage
  size_t script = 0;   // of the program
  uint32_t stands_for = 1;
  sim::Instant begin;  // of its step
};

struct Outcome {
  hardware::LoweredStep lowered;
  sim::Folding folding;  // empty when every rank was simulated
  bool folded = true;
  sim::Timeline timeline;
  // From step to step: all of it, but where stages go on to the next step
  // without meeting (Overlap::optimizer_post_validation): the longest that a
  // rank takes from its first kernel to its end.
  sim::Duration step;
  std::vector<RecordedRank> ranks;  // by script, then number
  std::vector<sim::Ledger> memory;  // by script
  // Outside the framework's allocator, on each rank: CUDA context and the
  // buffers of NCCL communicators.
  sim::Bytes context, communicators;

  const sim::Program& program() const {
    return folded ? folding.program : lowered.program;
  }
};

struct RunOptions {
  bool unfold = false;        // simulate every rank
  bool memory_curve = false;  // keep each stage's curve, for a trace
};

absl::StatusOr<Outcome> Execute(const Inputs& inputs,
                                const RunOptions& options = {});

}  // namespace scenarios

#endif  // SCENARIOS_RUN_H_
