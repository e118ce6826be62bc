#include "hardware/gpu.h"

#include "hardware/gpu.pb.h"
#include "hardware/number_fields.h"
#include "hardware/preset_files.h"
#include "sim/text_file.h"

namespace hardware {
namespace {

constexpr NumberRange kRanges[] = {
    {.field = "multiprocessors", .least = 1},
    {.field = "power_watts", .above_least = true},
    {.field = "memory_mib", .above_least = true},
    {.field = "memory_gb_per_s", .above_least = true},
    {.field = "l2_mib", .above_least = true},
    {.field = "nvlink_gb_per_s"},
    {.field = "pcie_gb_per_s", .above_least = true},
    {.field = "fp32_tflops", .above_least = true},
    {.field = "tf32_tflops"},
    {.field = "fp16_tflops"},
    {.field = "bf16_tflops"},
    {.field = "fp8_tflops"},
    {.field = "int8_tflops"},
    {.field = "int4_tflops"},
};

sim::Bytes FromMiB(double mib) {
  return sim::Bytes(static_cast<int64_t>(mib * (1 << 20)));
}

GpuSpec SpecOf(const proto::Gpu& gpu, absl::string_view name) {
  const double tflops[] = {gpu.fp32_tflops(), gpu.tf32_tflops(),
                           gpu.fp16_tflops(), gpu.bf16_tflops(),
                           gpu.fp8_tflops(),  gpu.int8_tflops(),
                           gpu.int4_tflops()};  // as models::DType counts
  GpuSpec spec{.name = std::string(name),
               .calibration = gpu.calibration(),
               .multiprocessors = gpu.multiprocessors(),
               .power_watts = gpu.power_watts(),
               .memory_capacity = FromMiB(gpu.memory_mib()),
               .memory_bandwidth = sim::GBps(gpu.memory_gb_per_s()),
               .l2 = FromMiB(gpu.l2_mib()),
               .nvlink_bandwidth = sim::GBps(gpu.nvlink_gb_per_s()),
               .pcie_bandwidth = sim::GBps(gpu.pcie_gb_per_s()),
               .peak = {}};
  for (const double rate : tflops) {
    spec.peak.Append(sim::TeraFlopsPerSecond(rate));
  }
  return spec;
}

}  // namespace

absl::StatusOr<GpuSpec> LoadGpu(absl::string_view gpu) {
  proto::Gpu message;
  const absl::StatusOr<sim::TextFile> file =
      LoadPresetFile(kGpus, gpu, &message);
  if (!file.ok()) return file.status();
  if (message.calibration().empty()) {
    return file->Error("calibration",
                       "is missing; name a file of hardware/calibration");
  }
  const absl::Status numbers = CheckNumbers(message, file->At(""), kRanges);
  if (!numbers.ok()) return numbers;
  return SpecOf(message, PresetName(gpu));
}

std::vector<std::string> GpuNames() { return PresetNames(kGpus); }

}  // namespace hardware
