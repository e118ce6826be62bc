#include "hardware/custom_all_reduce.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "hardware/cluster.h"
#include "hardware/collectives/algorithms.h"
#include "hardware/group_shape.h"
#include "hardware/law_fields.h"
#include "hardware/nccl.pb.h"
#include "hardware/number_fields.h"

namespace hardware {
namespace {

using models::AllReduceLibrary;

constexpr NumberRange kKernelRanges[] = {
    {.field = "start_us", .above_least = true},
    {.field = "step_us"},
    {.field = "link_efficiency", .most = 1, .above_least = true},
    {.field = "channels", .least = 1, .most = 64},
};
constexpr NumberRange kUseRanges[] = {
    {.field = "most_ranks", .least = 2, .most = 64},
    {.field = "most_bytes", .least = 1},
};

bool Admits(const CustomKernel& kernel, int ranks, sim::Bytes bytes) {
  for (const CustomKernel::Use& use : kernel.uses) {
    if (ranks <= use.most_ranks) return bytes.count() <= use.most_bytes;
  }
  return false;
}

}  // namespace

const CustomKernel* CustomKernelFor(std::span<const CustomKernel> kernels,
                                    const models::Collective& collective,
                                    const GroupShape& shape,
                                    const Cluster& cluster) {
  for (const CustomKernel& kernel : kernels) {
    if (kernel.library == collective.library &&
        FindAlgorithm(kernel.cost.algorithm)
            ->accepts(collective, shape, cluster) &&
        Admits(kernel, shape.ranks, collective.bytes)) {
      return &kernel;
    }
  }
  return nullptr;
}

absl::StatusOr<CustomKernel> CustomKernelOf(
    const proto::CustomAllReduce& message, const sim::TextField& place) {
  const absl::StatusOr<AllReduceLibrary> library =
      Spelled(message.library(), AllReduceLibrary::kTensorRtLlm,
              place.At("library"), "libraries");
  if (!library.ok()) return library.status();
  if (FindAlgorithm(message.algorithm()) == nullptr) {
    return place.At("algorithm")
        .Error(absl::StrCat("\"", message.algorithm(),
                            "\" is unknown; write one-shot, two-shot or "
                            "multimem"));
  }
  absl::Status status = CheckNumbers(message, place, kKernelRanges);
  if (!status.ok()) return status;
  if (message.use_size() == 0) {
    return place.At("use").Error("is missing; say for which groups and sizes");
  }
  CustomKernel kernel{.library = *library,
                      .cost = {.algorithm = message.algorithm(),
                               .protocol = message.library(),
                               .start = sim::Microseconds(message.start_us()),
                               .step = sim::Microseconds(message.step_us()),
                               .link_efficiency = message.link_efficiency(),
                               .own_part = {},
                               .channels = message.channels(),
                               .network_step = {}},
                      .uses = {},
                      .when_faster = message.when_faster()};
  for (int i = 0; i < message.use_size(); ++i) {
    const auto& use = message.use(i);
    status = CheckNumbers(use, place.At("use").At(static_cast<size_t>(i)),
                          kUseRanges);
    if (!status.ok()) return status;
    kernel.uses.push_back({use.most_ranks(), use.most_bytes()});
  }
  return kernel;
}

}  // namespace hardware
