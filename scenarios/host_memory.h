// What the ranks of a server keep in its memory and on its drives, against what
// it has.
//
//   HostUse use = HostUseOf(inputs, outcome);
//   use.memory > inputs.cluster.host_memory;   // the plan does not fit
#ifndef SCENARIOS_HOST_MEMORY_H_
#define SCENARIOS_HOST_MEMORY_H_

#include "scenarios/inputs.h"
#include "scenarios/run.h"
#include "sim/units.h"

namespace scenarios {

// Of the fullest server.
struct HostUse {
  sim::Bytes memory, disk;
};

// State held through the step, and activations at their peak, all ranks at once.
// The operating system, data loaders and the framework itself are left out.
HostUse HostUseOf(const Inputs& inputs, const Outcome& outcome);

bool HostFits(const Inputs& inputs, const Outcome& outcome);

}  // namespace scenarios

#endif  // SCENARIOS_HOST_MEMORY_H_
