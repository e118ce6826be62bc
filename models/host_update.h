// The optimizer's update by the host's CPU, and what travels with it.
//
//   UpdateOnHost(training, 1'000'000'000, &builder);   // in the step graph
//
// Group after group (sub_group_size), state is read from drives if it lives
// there, the CPU updates, and new weights go to the device while the CPU goes on
// with the next group.
#ifndef MODELS_HOST_UPDATE_H_
#define MODELS_HOST_UPDATE_H_

#include <cstdint>

#include "models/op_graph.h"
#include "models/training.h"

namespace models {

// Bytes of host memory that the CPU reads and writes for each parameter.
int64_t HostUpdateBytes(const TrainingSpec& training);

// In the step, for so many of a rank's parameters; with delayed_update the
// weights' way to the device alone.
void UpdateOnHost(const TrainingSpec& training, int64_t parameters,
                  OpGraphBuilder* builder);
// With delayed_update: the update, under the first microbatch's forward pass.
void UpdateUnderForward(const TrainingSpec& training, int64_t parameters,
                        OpGraphBuilder* builder);

}  // namespace models

#endif  // MODELS_HOST_UPDATE_H_
