#include "hardware/host.h"

#include "hardware/cluster.pb.h"
#include "hardware/number_fields.h"
#include "sim/text_file.h"

namespace hardware {
namespace {

constexpr NumberRange kHost[] = {
    {.field = "pcie_gb_per_s", .least = 0.001, .most = 1e6},
    {.field = "memory_gb_per_s", .least = 0.001, .most = 1e6},
};

constexpr NumberRange kSwitch[] = {
    {.field = "gpus_per_pcie_switch", .least = 1, .most = 64},
    {.field = "disks", .most = 1024},
};

constexpr NumberRange kDisks[] = {
    {.field = "disk_read_gb_per_s", .least = 0.001, .most = 1e6},
    {.field = "disk_write_gb_per_s", .least = 0.001, .most = 1e6},
    {.field = "disk_gb", .least = 0.001, .most = 1e9},
};

}  // namespace

absl::StatusOr<HostSpec> HostOf(const proto::Host& host,
                                const sim::TextField& place) {
  absl::Status status = CheckNumbers(host, place, kHost);
  if (status.ok()) status = CheckGivenNumbers(host, place, kSwitch);
  if (status.ok() && host.disks() > 0) {
    status = CheckNumbers(host, place, kDisks);
  }
  if (!status.ok()) return status;
  HostSpec spec{.pcie = sim::GBps(host.pcie_gb_per_s()),
                .gpus_per_pcie_switch = host.gpus_per_pcie_switch(),
                .memory = sim::GBps(host.memory_gb_per_s()),
                .disks = host.disks(),
                .disk_read = sim::GBps(host.disk_read_gb_per_s()),
                .disk_write = sim::GBps(host.disk_write_gb_per_s()),
                .disk_capacity = {}};
  spec.disk_capacity = sim::Bytes(static_cast<int64_t>(
      sim::GBps(host.disk_gb()).count() * host.disks()));
  return spec;
}

}  // namespace hardware
