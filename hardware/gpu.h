// A GPU as its datasheet states it.
//
//   GpuSpec h100 = *LoadGpu("h100-sxm-80gb");
//   h100.peak[models::DType::kBf16];  // 989.4e12 FLOP/s, dense
//   h100.memory_bandwidth = sim::GBps(4800);  // a what-if: H200's memory
//
// To add a GPU: write hardware/gpus/<name>.textproto (hardware/gpu.proto is the
// reference of the fields); a test loads every file there.
#ifndef HARDWARE_GPU_H_
#define HARDWARE_GPU_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/op.h"
#include "sim/column.h"
#include "sim/units.h"

namespace hardware {

struct GpuSpec {
  std::string name;         // of its file: "h100-sxm-80gb"
  std::string calibration;  // of its architecture: "hopper"
  int multiprocessors = 0;
  double power_watts = 0;
  sim::Bytes memory_capacity;  // as the driver reports it
  sim::BytesPerSecond memory_bandwidth;
  sim::Bytes l2;
  sim::BytesPerSecond nvlink_bandwidth;  // per direction; 0: no NVLink
  sim::BytesPerSecond pcie_bandwidth;    // per direction
  // Dense; kFp32 is that of the CUDA cores. 0: not supported.
  sim::Column<models::DType, sim::FlopsPerSecond> peak;

  bool Supports(models::DType dtype) const { return peak[dtype].count() > 0; }
};

// `gpu` is a name below hardware/gpus or a path to a textproto. Fails on an
// unknown name, naming the nearest, or on a field that is missing or out of
// range.
absl::StatusOr<GpuSpec> LoadGpu(absl::string_view gpu);

// Names below hardware/gpus, sorted.
std::vector<std::string> GpuNames();

}  // namespace hardware

#endif  // HARDWARE_GPU_H_
