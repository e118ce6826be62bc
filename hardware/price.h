// What a kernel costs, and the wall it runs into.
//
//   KernelCost cost{.fixed = 2.8e-6, .compute = 174e-6, .memory = 37e-6};
//   PriceOf(cost);  // 177 us, kCompute
#ifndef HARDWARE_PRICE_H_
#define HARDWARE_PRICE_H_

#include <cstdint>

#include "sim/units.h"

namespace hardware {

// The wall a kernel runs into. Reports group time by it.
enum class Bound : uint8_t { kCompute, kMemory, kLaunch };

// What L2 holds when a kernel starts. Training, and serving of models larger
// than L2, find it cold. Microbenchmarks that repeat one kernel often find it
// warm.
enum class L2 : uint8_t { kCold, kWarm };

struct Price {
  sim::Duration time;
  Bound bound = Bound::kCompute;
};

// Seconds of one kernel alone on the device, by what they go into. All >= 0.
struct KernelCost {
  double fixed = 0;    // launch, start-up, reductions: does not overlap
  double compute = 0;  // keeping the arithmetic busy
  double memory = 0;   // keeping the device memory busy

  // fixed + (compute^4 + memory^4)^(1/4). The two overlap, but imperfectly: 0
  // to 19 % longer than the longer one.
  double seconds() const;
};

// kLaunch when fixed time is more than half.
Price PriceOf(const KernelCost& cost);

}  // namespace hardware

#endif  // HARDWARE_PRICE_H_
