// The operators of one step of an engine, laid out over its time.
//
//   StepOperators operators(pool);
//   for (const ShownOperator& o : operators.Of(work, begin, end)) …
//   // "host" 0.3 ms, "attention" x 32 1.1 ms, "qkv" x 32 2.4 ms, …
//
// Operators that run in every layer are shown once, as long as all of them
// take. The host's part of the step comes first, where the GPUs wait for it;
// the rest of the step is the operators', each stretched alike so that they
// fill it: above 1 where launches, other pipeline stages or a queue before them
// take time too.
#ifndef SCENARIOS_STEP_OPERATORS_H_
#define SCENARIOS_STEP_OPERATORS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hardware/serving_cost.h"
#include "scenarios/serving_inputs.h"
#include "sim/serving/step.h"
#include "sim/units.h"

namespace scenarios {

struct ShownOperator {
  std::string name = {};    // "qkv"; of a draft model, "draft qkv"
  std::string kernel = {};  // "gemm 64x1280x8192 bf16", "all-reduce"; host: ""
  sim::Instant begin = {}, end = {};
  int64_t times = 1;            // that it runs, one layer after another
  double alone_us = 0;          // of one
  double flops = 0, bytes = 0;  // of one, on one GPU; bytes of HBM, or of a
                                // message
  double stretch = 1;           // shown over alone
};

class StepOperators {
 public:
  explicit StepOperators(const ServingPool& pool);

  // In order, without gaps, from begin to end. REQUIRES: begin <= end.
  std::vector<ShownOperator> Of(const sim::StepWork& work, sim::Instant begin,
                                sim::Instant end);

 private:
  std::vector<ShownOperator> Alone(const sim::StepWork& work) const;

  hardware::ServingCost cost_;
  std::optional<hardware::ServingCost> draft_;
  int64_t drafts_ = 0;  // tokens of one
};

}  // namespace scenarios

#endif  // SCENARIOS_STEP_OPERATORS_H_
