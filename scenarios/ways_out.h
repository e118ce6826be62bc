// What makes a plan that does not fit fit.
//
//   for (const WayOut& way : WaysOut(inputs)) …  // "training.recompute=FULL"
//
// To add a change to try: a row in the .cc.
#ifndef SCENARIOS_WAYS_OUT_H_
#define SCENARIOS_WAYS_OUT_H_

#include <vector>

#include "scenarios/report.h"

namespace scenarios {

// Single changes to the plan, and pairs with recomputation, that make it fit;
// the one with the fastest step first. Each is simulated. The number of GPUs
// and the global batch stay.
std::vector<WayOut> WaysOut(const Inputs& inputs);

}  // namespace scenarios

#endif  // SCENARIOS_WAYS_OUT_H_
