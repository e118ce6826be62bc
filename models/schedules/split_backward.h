// Whole backward passes split in two, one right after the other: the gradient
// of the chunk's input is on its way to the stage before while the weight
// gradients are made (Megatron's --delay-wgrad-compute).
//
//   F0 BW0 F1 BW1  ->  F0 B0 W0 F1 B1 W1
#ifndef MODELS_SCHEDULES_SPLIT_BACKWARD_H_
#define MODELS_SCHEDULES_SPLIT_BACKWARD_H_

#include "models/schedules/schedule.h"

namespace models {

// Passes that are split already stay as they are.
Plan SplitBackward(const Plan& plan);

}  // namespace models

#endif  // MODELS_SCHEDULES_SPLIT_BACKWARD_H_
