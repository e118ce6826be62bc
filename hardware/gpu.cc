#include "hardware/gpu.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "hardware/gpu.pb.h"
#include "hardware/number_fields.h"
#include "sim/data_path.h"
#include "sim/spelling.h"
#include "sim/text_file.h"

namespace hardware {
namespace {

constexpr absl::string_view kFolder = "hardware/gpus";
constexpr absl::string_view kExtension = ".textproto";

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
  const bool is_path = absl::EndsWith(gpu, kExtension);
  const std::vector<std::string> names = GpuNames();
  if (!is_path && !std::binary_search(names.begin(), names.end(), gpu)) {
    return absl::NotFoundError(absl::StrCat("no GPU is called \"", gpu, "\"; ",
                                            sim::Suggest(gpu, names, "GPUs")));
  }
  const std::filesystem::path path =
      is_path ? std::filesystem::path(std::string(gpu))
              : sim::DataPath(absl::StrCat(kFolder, "/", gpu, kExtension));
  proto::Gpu message;
  const absl::StatusOr<sim::TextFile> file =
      sim::TextFile::Load(path.string(), &message);
  if (!file.ok()) return file.status();
  if (message.calibration().empty()) {
    return file->Error("calibration",
                       "is missing; name a file of hardware/calibration");
  }
  if (message.source().empty()) {
    return file->Error("source", "is missing; cite the datasheet");
  }
  const absl::Status numbers = CheckNumbers(message, file->At(""), kRanges);
  if (!numbers.ok()) return numbers;
  return SpecOf(message, path.stem().string());
}

std::vector<std::string> GpuNames() {
  std::vector<std::string> names;
  std::error_code unreadable;  // a folder that is not there has no names
  for (const auto& entry : std::filesystem::directory_iterator(
           sim::DataPath(kFolder), unreadable)) {
    if (entry.path().extension() == std::string(kExtension)) {
      names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace hardware
