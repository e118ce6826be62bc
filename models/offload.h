// State and activations that live in host memory or on drives instead of on the
// device, and the work that goes with them.
//
//   Offload o{.optimizer = OffloadDevice::kCpu, .gradients = true};
//   // ZeRO-Offload: gradients go to the host as they are reduced, the CPU
//   // updates, 16-bit weights come back.
//
// Ren et al. 2021 (ZeRO-Offload, arXiv:2101.06840); Rajbhandari et al. 2021
// (ZeRO-Infinity, arXiv:2104.07857).
#ifndef MODELS_OFFLOAD_H_
#define MODELS_OFFLOAD_H_

#include <cstdint>

#include "sim/units.h"

namespace models {

enum class OffloadDevice : uint8_t { kNone, kCpu, kNvme };

struct Offload {
  // Optimizer state, FP32 weights among it; the CPU updates.
  OffloadDevice optimizer = OffloadDevice::kNone;
  double optimizer_fraction = 1;  // of the parameters, 0 < f <= 1
  // Gradients leave as they are reduced; else after the last microbatch. zero 2
  // and 3.
  bool gradients = false;
  // Shards of zero 3, brought to the device before each gathering.
  OffloadDevice parameters = OffloadDevice::kNone;
  // Weights travel to the device in FP32 and are cast there.
  bool fp32_parameters = false;
  // Parameters that are updated together, >= 1.
  int64_t sub_group_size = 1'000'000'000;
  // Drives read for the next group, or write the last, under an update.
  bool pipeline_read = false, pipeline_write = false;
  // The CPU updates under the next step's passes, with gradients one step old.
  bool delayed_update = false;
  // First layers of each chunk whose activations leave until their backward pass.
  int64_t activation_layers = 0;
  // The device stands still while they travel (torch's save_on_cpu).
  bool activations_wait = false;

  bool updates() const { return optimizer != OffloadDevice::kNone; }
  bool any() const { return updates() || activation_layers > 0; }
};

// What one rank keeps off the device through the whole step.
struct OffDevice {
  sim::Bytes host, disk;
};

}  // namespace models

#endif  // MODELS_OFFLOAD_H_
