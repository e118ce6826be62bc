// Prices the operators of one stage's graphs, and names them in the program.
//
// Groups of an axis may lie differently in the servers: of tensor-parallel
// groups of 3 on servers of 8 GPUs, ranks 0-2 and 3-5 stay inside one, 6-8 do
// not. All wait for each other in the next step, so the worst of them is the
// price.
#ifndef HARDWARE_PRICING_H_
#define HARDWARE_PRICING_H_

#include <vector>

#include "hardware/lowering.h"

namespace hardware {

// The labels of a stage's ops: one run of labels for each graph.
struct StageLabels {
  std::vector<sim::LabelId> chunks;  // first label of each chunk's graph
  sim::LabelId step{};               // … of the step graph
};

// Appends a label and a PricedOp for every op of a script's graphs.
StageLabels PriceStage(size_t script, const CostModel& cost,
                       const Cluster& cluster, LoweredStep* lowered);

}  // namespace hardware

#endif  // HARDWARE_PRICING_H_
