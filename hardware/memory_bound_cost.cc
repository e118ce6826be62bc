#include "hardware/memory_bound_cost.h"

#include <algorithm>
#include <cmath>

namespace hardware {
namespace {

// Seconds a byte takes under two limits that overlap as KernelCost's do.
double PerByte(double rate, double other) {
  const double a = 1 / rate, b = 1 / other;
  return std::sqrt(std::sqrt(a * a * a * a + b * b * b * b));
}

// The part of the kernel's bytes that L2 has kept since they were last touched.
double HeldPart(const GpuSpec& gpu, const MemoryBoundLaw& law, double bytes) {
  const auto l2 = static_cast<double>(gpu.l2.count());
  return std::clamp((law.l2_lost - bytes / l2) / (law.l2_lost - law.l2_held),
                    0.0, 1.0);
}

// With the second pass over rows too long to keep.
double MovedBytes(const MemoryBoundKernel& constants,
                  const models::MemoryBound& kernel) {
  const auto bytes =
      static_cast<double>((kernel.read + kernel.written).count());
  if (constants.reread_row_bytes == 0 || kernel.rows == 0) return bytes;
  const auto read = static_cast<double>(kernel.read.count());
  const double row = read / static_cast<double>(kernel.rows);
  return bytes + read * std::min(1.0, row / constants.reread_row_bytes);
}

}  // namespace

KernelCost CostOf(const GpuSpec& gpu, const Calibration& calibration,
                  const models::MemoryBound& kernel, L2 l2) {
  const MemoryBoundLaw& law = calibration.memory_bound;
  const MemoryBoundKernel& constants = law.Of(kernel.family, kernel.kind);
  const int64_t sms = gpu.multiprocessors;
  const int64_t at_work = constants.row_by_row && kernel.rows > 0
                              ? std::min<int64_t>(kernel.rows, sms)
                              : sms;
  const double issued = constants.per_sm * static_cast<double>(at_work);
  const double bytes = MovedBytes(constants, kernel);
  const double held =
      l2 == L2::kWarm ? HeldPart(gpu, law, bytes / kernel.kernels) : 0;

  KernelCost cost;
  cost.fixed = kernel.kernels * constants.launch_seconds;
  if (kernel.rows > 0 && kernel.rows <= constants.serial_rows) {
    cost.fixed +=
        static_cast<double>(kernel.rows - 1) * constants.serial_row_seconds;
  }
  cost.compute = kernel.flops.count() / gpu.peak[models::DType::kFp32].count();
  const double missing =
      PerByte(issued, law.memory_efficiency * gpu.memory_bandwidth.count());
  const double hitting = PerByte(issued * constants.warm_speedup,
                                 law.l2_per_sm * static_cast<double>(sms));
  cost.memory =
      bytes * (held * std::min(hitting, missing) + (1 - held) * missing);
  return cost;
}

}  // namespace hardware
