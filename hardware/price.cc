#include "hardware/price.h"

#include <cmath>

namespace hardware {

double KernelCost::seconds() const {
  const double c = compute * compute;
  const double m = memory * memory;
  return fixed + std::sqrt(std::sqrt(c * c + m * m));
}

Price PriceOf(const KernelCost& cost) {
  const double seconds = cost.seconds();
  Bound bound = cost.compute >= cost.memory ? Bound::kCompute : Bound::kMemory;
  if (2 * cost.fixed > seconds) bound = Bound::kLaunch;
  return {sim::Seconds(seconds), bound};
}

}  // namespace hardware
