#include "hardware/decode_attention_law.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "hardware/calibration.pb.h"
#include "hardware/law_fields.h"
#include "hardware/number_fields.h"

namespace hardware {
namespace {

constexpr NumberRange kRanges[] = {
    {.field = "launch_us", .above_least = true},
    {.field = "transpose_us"},
    {.field = "block_us"},
    {.field = "head_us"},
    {.field = "stream_gb_per_s_per_sm", .above_least = true},
    {.field = "softmax_dims"},
    {.field = "memory_efficiency", .most = 1, .above_least = true},
    {.field = "combine_us"},
    {.field = "combine_gb_per_s", .above_least = true},
    {.field = "split_keys", .least = 1},
    {.field = "most_splits", .least = 1},
};

absl::StatusOr<DecodeKernel> KernelOf(const std::string& word,
                                      const sim::TextField& place) {
  std::vector<std::string> names;
  for (const DecodeKernel kernel :
       {DecodeKernel::kFlash2, DecodeKernel::kFlash3, DecodeKernel::kXqa,
        DecodeKernel::kMasked}) {
    if (NameOf(kernel) == word) return kernel;
    names.emplace_back(NameOf(kernel));
  }
  return place.Error(absl::StrCat("\"", word, "\" is unknown; ",
                                  sim::Suggest(word, names, "kernels")));
}

absl::Status CheckRanges(const proto::DecodeAttentionLaw& message,
                         const sim::TextField& place) {
  absl::Status status = CheckNumbers(message, place, kRanges);
  if (!status.ok()) return status;
  if (message.cache_bits() != 8 && message.cache_bits() != 16) {
    return place.At("cache_bits")
        .Error(absl::StrCat(message.cache_bits(),
                            " is out of range; write 8 or 16"));
  }
  return CheckProvenance(message, place);
}

}  // namespace

absl::string_view NameOf(DecodeKernel kernel) {
  constexpr absl::string_view kNames[] = {"fa2", "fa3", "xqa", "mmha"};
  return kNames[static_cast<size_t>(kernel)];
}

absl::Status ReadDecodeAttentionLaw(const proto::DecodeAttentionLaw& message,
                                    const sim::TextField& place,
                                    std::vector<DecodeAttentionLaw>& laws) {
  const absl::Status status = CheckRanges(message, place);
  if (!status.ok()) return status;
  const absl::StatusOr<models::AttentionFamily> family =
      Spelled(message.family(), models::AttentionFamily::kFlashInfer,
              place.At("family"), "families");
  if (!family.ok()) return family.status();
  const absl::StatusOr<DecodeKernel> kernel =
      KernelOf(message.kernel(), place.At("kernel"));
  if (!kernel.ok()) return kernel.status();
  for (const DecodeAttentionLaw& law : laws) {
    if (law.family == *family && law.kernel == *kernel &&
        law.cache_bits == message.cache_bits()) {
      return place.Error("is given twice; keep one");
    }
  }
  laws.push_back({.family = *family,
                  .cache_bits = message.cache_bits(),
                  .kernel = *kernel,
                  .launch_seconds = message.launch_us() * 1e-6,
                  .transpose_seconds = message.transpose_us() * 1e-6,
                  .block_seconds = message.block_us() * 1e-6,
                  .head_seconds = message.head_us() * 1e-6,
                  .stream_per_sm = message.stream_gb_per_s_per_sm() * 1e9,
                  .softmax_dims = message.softmax_dims(),
                  .memory_efficiency = message.memory_efficiency(),
                  .combine_seconds = message.combine_us() * 1e-6,
                  .combine_rate = message.combine_gb_per_s() * 1e9,
                  .split_keys = message.split_keys(),
                  .most_splits = message.most_splits()});
  return absl::OkStatus();
}

}  // namespace hardware
