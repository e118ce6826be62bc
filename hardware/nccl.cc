#include "hardware/nccl.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hardware/custom_all_reduce.h"
#include "hardware/nccl.pb.h"
#include "hardware/number_fields.h"
#include "hardware/preset_files.h"
#include "sim/text_file.h"

namespace hardware {
namespace {

constexpr NumberRange kRequired[] = {
    {.field = "start_us", .above_least = true},
    {.field = "step_us"},
    {.field = "link_efficiency", .most = 1, .above_least = true},
    {.field = "own_part_gb_per_s"},
    {.field = "channels", .least = 1, .most = 64},
};

constexpr NumberRange kBetweenServers[] = {
    {.field = "network_step_us"},
    {.field = "network_payload", .most = 1, .above_least = true},
};

constexpr NumberRange kLoneRank[] = {
    {.field = "lone_rank_payload", .most = 1, .above_least = true},
};

constexpr NumberRange kCopies[] = {
    {.field = "copy_start_us", .above_least = true},
    {.field = "copy_efficiency", .most = 1, .above_least = true},
};

constexpr NumberRange kNetworkKind[] = {
    {.field = "start_us"},
    {.field = "simple_start_us"},
    {.field = "step_us"},
    {.field = "efficiency", .most = 1, .above_least = true},
    {.field = "training_efficiency", .most = 1, .above_least = true},
};

using ProtocolMessages =
    google::protobuf::RepeatedPtrField<proto::NcclProtocol>;

absl::StatusOr<NcclProtocol> ProtocolOf(const proto::NcclProtocol& message,
                                        const sim::TextField& place) {
  for (const char* name : {"algorithm", "protocol"}) {
    if (!place.At(name).IsSet()) {
      return place.At(name).Error("is missing; name it as NCCL does");
    }
  }
  absl::Status numbers = CheckNumbers(message, place, kRequired);
  if (numbers.ok() && message.has_network_step_us()) {
    numbers = CheckNumbers(message, place, kBetweenServers);
  }
  if (numbers.ok() && message.has_lone_rank_payload()) {
    numbers = CheckNumbers(message, place, kLoneRank);
  }
  if (!numbers.ok()) return numbers;
  return NcclProtocol{
      .algorithm = message.algorithm(),
      .protocol = message.protocol(),
      .start = sim::Microseconds(message.start_us()),
      .step = sim::Microseconds(message.step_us()),
      .link_efficiency = message.link_efficiency(),
      .own_part = sim::GBps(message.own_part_gb_per_s()),
      .channels = message.channels(),
      .network_step = sim::Microseconds(message.network_step_us()),
      .network_payload = message.network_payload(),
      .lone_rank_payload = message.has_lone_rank_payload()
                               ? message.lone_rank_payload()
                               : message.network_payload(),
      .channels_per_nic = message.channels_per_nic()};
}

absl::StatusOr<std::vector<NcclProtocol>> ProtocolsOf(
    const ProtocolMessages& messages, const sim::TextField& place) {
  if (messages.empty()) {
    return place.Error("is missing; describe at least one protocol");
  }
  std::vector<NcclProtocol> protocols;
  for (int i = 0; i < messages.size(); ++i) {
    absl::StatusOr<NcclProtocol> protocol =
        ProtocolOf(messages[i], place.At(static_cast<size_t>(i)));
    if (!protocol.ok()) return protocol.status();
    protocols.push_back(*std::move(protocol));
  }
  return protocols;
}

}  // namespace

absl::StatusOr<Nccl> LoadNccl(absl::string_view architecture) {
  proto::Nccl message;
  const absl::StatusOr<sim::TextFile> file = LoadPresetFile(
      kCalibrations, absl::StrCat("nccl-", architecture), &message);
  if (!file.ok()) return file.status();
  absl::StatusOr<std::vector<NcclProtocol>> nvlink =
      ProtocolsOf(message.nvlink(), file->At("nvlink"));
  if (!nvlink.ok()) return nvlink.status();
  absl::StatusOr<std::vector<NcclProtocol>> pcie =
      ProtocolsOf(message.pcie(), file->At("pcie"));
  if (!pcie.ok()) return pcie.status();
  const absl::Status copies = CheckNumbers(message, file->At(""), kCopies);
  if (!copies.ok()) return copies;
  Nccl nccl{.nvlink = *std::move(nvlink),
            .pcie = *std::move(pcie),
            .custom = {},
            .copy_start = sim::Microseconds(message.copy_start_us()),
            .copy_efficiency = message.copy_efficiency()};
  for (int i = 0; i < message.custom_size(); ++i) {
    absl::StatusOr<CustomKernel> kernel = CustomKernelOf(
        message.custom(i), file->At("custom").At(static_cast<size_t>(i)));
    if (!kernel.ok()) return kernel.status();
    nccl.custom.push_back(*std::move(kernel));
  }
  return nccl;
}

absl::StatusOr<NetworkKind> LoadNetworkKind(absl::string_view name) {
  proto::Network message;
  const absl::StatusOr<sim::TextFile> file =
      LoadPresetFile(kNetworks, name, &message);
  if (!file.ok()) return file.status();
  const absl::Status numbers =
      CheckNumbers(message, file->At(""), kNetworkKind);
  if (!numbers.ok()) return numbers;
  return NetworkKind{
      .name = std::string(name),
      .start = sim::Microseconds(message.start_us()),
      .simple_start = sim::Microseconds(message.simple_start_us()),
      .step = sim::Microseconds(message.step_us()),
      .efficiency = message.efficiency(),
      .training_efficiency = message.training_efficiency(),
      .ll128 = message.ll128()};
}

}  // namespace hardware
