// What DeepEP's kernels make of NVLink and of the network: start-up, work of a
// multiprocessor, part of the links' rates.
//
//   DeepEp deep_ep = *LoadDeepEp("hopper");
//   deep_ep.Of(ExpertExchange::kNormal, ExpertDirection::kDispatch).start;
//
// To add an architecture: hardware/calibration/deepep-<name>.textproto; the
// fields are in deep_ep.proto, the law in expert_all_to_all_cost.h.
#ifndef HARDWARE_DEEP_EP_H_
#define HARDWARE_DEEP_EP_H_

#include <array>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/expert_all_to_all.h"
#include "sim/column.h"

namespace hardware {

// One direction of one set of kernels. Seconds, bytes per second; a rate of 0
// takes no time.
struct DeepEpKernel {
  double start = 0;  // > 0 once given
  double fill_rate = 0;
  double network_start = 0;
  double network_step = 0;  // per doubling of nodes
  double copy_seconds = 0;
  double copy_rate = 0;
  double token_rate = 0;
  double relay_rate = 0;
  double link_efficiency = 1;
};

struct DeepEp {
  std::array<std::array<DeepEpKernel, 2>, 2> kernels;  // by mode, direction

  const DeepEpKernel& Of(models::ExpertExchange mode,
                         models::ExpertDirection direction) const {
    return kernels[sim::Row(mode)][sim::Row(direction)];
  }
};

// By name of the file, as above. Fails on an unknown name, suggesting another,
// on a field that is missing or out of range, and on kernels missing or given
// twice.
absl::StatusOr<DeepEp> LoadDeepEp(absl::string_view architecture);

}  // namespace hardware

#endif  // HARDWARE_DEEP_EP_H_
