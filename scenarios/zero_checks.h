// Whether what a scenario asks of ZeRO++ fits the rest of it.
//
//   // training.parallel.zero_hpz_partition_size: needs zero: 3, …
//   CheckZero(inputs, file.At("training"))
#ifndef SCENARIOS_ZERO_CHECKS_H_
#define SCENARIOS_ZERO_CHECKS_H_

#include "absl/status/status.h"
#include "scenarios/inputs.h"
#include "sim/text_file.h"

namespace scenarios {

// `field` is where `training` stands.
absl::Status CheckZero(const Inputs& inputs, const sim::TextField& field);

}  // namespace scenarios

#endif  // SCENARIOS_ZERO_CHECKS_H_
