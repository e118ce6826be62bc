#include "hardware/calibration.h"

#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "hardware/calibration.pb.h"
#include "hardware/number_fields.h"
#include "sim/data_path.h"
#include "sim/spelling.h"
#include "sim/text_file.h"

namespace hardware {
namespace {

using models::AttentionFamily;
using models::DType;
using models::Pointwise;

constexpr NumberRange kGemmRanges[] = {
    {.field = "launch_us", .above_least = true},
    {.field = "tensor_efficiency", .most = 1.1, .above_least = true},
    {.field = "l2_gb_per_s_per_sm", .above_least = true},
    {.field = "eight_bit_l2_efficiency", .most = 1, .above_least = true},
    {.field = "turnover_us"},
    {.field = "split_us"},
    {.field = "memory_efficiency", .most = 1, .above_least = true},
    {.field = "memory_gb_per_s_per_sm", .above_least = true},
    {.field = "warm_miss", .most = 1, .above_least = true},
};
constexpr NumberRange kPowerRanges[] = {
    {.field = "reference_watts", .above_least = true},
    {.field = "static_watts"},
    {.field = "exponent", .most = 1},
    {.field = "training_clock", .most = 1, .above_least = true},
};
constexpr NumberRange kAttentionRanges[] = {
    {.field = "launch_us", .above_least = true},
    {.field = "efficiency", .most = 2, .above_least = true},
    {.field = "half_dim"},
    {.field = "eight_bit_efficiency", .most = 1, .above_least = true},
    {.field = "tile_us"},
    {.field = "tail", .most = 1},
    {.field = "memory_efficiency", .most = 1, .above_least = true},
};
constexpr NumberRange kKindRanges[] = {
    {.field = "launch_us", .above_least = true},
    {.field = "efficiency", .most = 1, .above_least = true},
};
constexpr NumberRange kSustainedRanges[] = {
    {.field = "fraction", .most = 1, .above_least = true},
};
constexpr NumberRange kTileRanges[] = {
    {.field = "m", .least = 1},
    {.field = "n", .least = 1},
};
constexpr NumberRange kMemoryBoundRanges[] = {
    {.field = "l2_speedup", .least = 1},
};

// Spellings of an enum whose last enumerator is `last`.
template <class Id>
std::vector<std::string> NamesTo(Id last) {
  std::vector<std::string> names;
  for (size_t row = 0; row <= sim::Row(last); ++row) {
    names.emplace_back(models::NameOf(sim::AsId<Id>(row)));
  }
  return names;
}

// The enumerator that `place` spells, or an error that names the near ones.
template <class Id>
absl::StatusOr<Id> Spelled(const std::string& word, Id last,
                           const sim::TextField& place,
                           absl::string_view kind) {
  const std::vector<std::string> names = NamesTo(last);
  for (size_t row = 0; row < names.size(); ++row) {
    if (names[row] == word) return sim::AsId<Id>(row);
  }
  return place.Error(absl::StrCat("\"", word, "\" is unknown; ",
                                  sim::Suggest(word, names, kind)));
}

template <class Message>
absl::Status CheckProvenance(const Message& law, const sim::TextField& place) {
  if (law.provenance().table().empty()) {
    return place.At("provenance.table")
        .Error("is missing; say which measurements the constants come from");
  }
  if (law.provenance().date().empty()) {
    return place.At("provenance.date").Error("is missing; write YYYY-MM-DD");
  }
  return absl::OkStatus();
}

absl::StatusOr<GemmLaw> GemmLawOf(const proto::GemmLaw& message,
                                  const sim::TextField& place) {
  absl::Status status = CheckNumbers(message, place, kGemmRanges);
  if (status.ok()) status = CheckProvenance(message, place);
  if (!status.ok()) return status;
  GemmLaw law{.launch_seconds = message.launch_us() * 1e-6,
              .tensor_efficiency = message.tensor_efficiency(),
              .l2_per_sm = message.l2_gb_per_s_per_sm() * 1e9,
              .eight_bit_l2_efficiency = message.eight_bit_l2_efficiency(),
              .turnover_seconds = message.turnover_us() * 1e-6,
              .split_seconds = message.split_us() * 1e-6,
              .memory_efficiency = message.memory_efficiency(),
              .memory_per_sm = message.memory_gb_per_s_per_sm() * 1e9,
              .warm_miss = message.warm_miss(),
              .tiles = {},
              .splits = {message.split().begin(), message.split().end()}};
  for (int i = 0; i < message.tile_size(); ++i) {
    status =
        CheckNumbers(message.tile(i),
                     place.At("tile").At(static_cast<size_t>(i)), kTileRanges);
    if (!status.ok()) return status;
    law.tiles.push_back({message.tile(i).m(), message.tile(i).n()});
  }
  if (law.tiles.empty()) {
    return place.At("tile").Error("is missing; give at least one");
  }
  if (law.splits.empty() || law.splits.front() != 1) {
    return place.At("split").Error("must begin with 1");
  }
  return law;
}

absl::StatusOr<PowerLaw> PowerLawOf(const proto::PowerLaw& message,
                                    const sim::TextField& place) {
  absl::Status status = CheckNumbers(message, place, kPowerRanges);
  if (status.ok()) status = CheckProvenance(message, place);
  if (!status.ok()) return status;
  if (message.static_watts() >= message.reference_watts()) {
    return place.At("static_watts").Error("must be below reference_watts");
  }
  PowerLaw law{.reference_watts = message.reference_watts(),
               .static_watts = message.static_watts(),
               .exponent = message.exponent(),
               .sustained = sim::Column<DType, double>(kDTypes),
               .training_clock = message.training_clock()};
  for (int i = 0; i < message.sustained_size(); ++i) {
    const auto& each = message.sustained(i);
    const sim::TextField at = place.At("sustained").At(static_cast<size_t>(i));
    status = CheckNumbers(each, at, kSustainedRanges);
    if (!status.ok()) return status;
    const absl::StatusOr<DType> dtype =
        Spelled(each.dtype(), DType::kInt4, at.At("dtype"), "types");
    if (!dtype.ok()) return dtype.status();
    law.sustained[*dtype] = each.fraction();
  }
  for (size_t row = 0; row < kDTypes; ++row) {
    const auto dtype = sim::AsId<DType>(row);
    if (law.sustained[dtype] > 0) continue;
    return place.At("sustained")
        .Error(absl::StrCat("has no ", models::NameOf(dtype),
                            "; give the fraction of every type"));
  }
  return law;
}

absl::Status ReadAttention(const proto::AttentionLaw& message,
                           const sim::TextField& place,
                           Calibration& calibration) {
  absl::Status status = CheckNumbers(message, place, kAttentionRanges);
  if (status.ok()) status = CheckProvenance(message, place);
  if (!status.ok()) return status;
  const absl::StatusOr<AttentionFamily> family =
      Spelled(message.family(), AttentionFamily::kTensorRtLlm,
              place.At("family"), "families");
  if (!family.ok()) return family.status();
  AttentionLaw& law = message.backward()
                          ? calibration.attention_backward[*family]
                          : calibration.attention_forward[*family];
  if (law.efficiency > 0) return place.Error("is given twice; keep one");
  law = {.launch_seconds = message.launch_us() * 1e-6,
         .efficiency = message.efficiency(),
         .half_dim = message.half_dim(),
         .eight_bit_efficiency = message.eight_bit_efficiency(),
         .packs_heads = message.packs_heads(),
         .tile_seconds = message.tile_us() * 1e-6,
         .tail = message.tail(),
         .memory_efficiency = message.memory_efficiency()};
  return absl::OkStatus();
}

absl::StatusOr<MemoryBoundLaw> MemoryBoundLawOf(
    const proto::MemoryBoundLaw& message, const sim::TextField& place) {
  absl::Status status = CheckNumbers(message, place, kMemoryBoundRanges);
  if (status.ok()) status = CheckProvenance(message, place);
  if (!status.ok()) return status;
  MemoryBoundLaw law{
      .launch_seconds = sim::Column<Pointwise, double>(kPointwiseKinds),
      .efficiency = sim::Column<Pointwise, double>(kPointwiseKinds),
      .l2_speedup = message.l2_speedup()};
  for (int i = 0; i < message.kind_size(); ++i) {
    const auto& each = message.kind(i);
    const sim::TextField at = place.At("kind").At(static_cast<size_t>(i));
    status = CheckNumbers(each, at, kKindRanges);
    if (!status.ok()) return status;
    const absl::StatusOr<Pointwise> kind =
        Spelled(each.kind(), Pointwise::kReduction, at.At("kind"), "kinds");
    if (!kind.ok()) return kind.status();
    law.launch_seconds[*kind] = each.launch_us() * 1e-6;
    law.efficiency[*kind] = each.efficiency();
  }
  for (size_t row = 0; row < kPointwiseKinds; ++row) {
    const auto kind = sim::AsId<Pointwise>(row);
    if (law.efficiency[kind] > 0) continue;
    return place.At("kind").Error(absl::StrCat("has no ", models::NameOf(kind),
                                               "; give every kind of kernel"));
  }
  return law;
}

}  // namespace

absl::StatusOr<Calibration> LoadCalibration(absl::string_view calibration) {
  const std::filesystem::path path =
      absl::EndsWith(calibration, ".textproto")
          ? std::filesystem::path(std::string(calibration))
          : sim::DataPath(absl::StrCat("hardware/calibration/", calibration,
                                       ".textproto"));
  proto::Calibration message;
  const absl::StatusOr<sim::TextFile> file =
      sim::TextFile::Load(path.string(), &message);
  if (!file.ok()) return file.status();
  Calibration result{
      .name = path.stem().string(),
      .power = {},
      .gemm = {},
      .attention_forward =
          sim::Column<AttentionFamily, AttentionLaw>(kAttentionFamilies),
      .attention_backward =
          sim::Column<AttentionFamily, AttentionLaw>(kAttentionFamilies),
      .memory_bound = {}};
  absl::StatusOr<GemmLaw> gemm = GemmLawOf(message.gemm(), file->At("gemm"));
  if (!gemm.ok()) return gemm.status();
  result.gemm = *std::move(gemm);
  absl::StatusOr<PowerLaw> power =
      PowerLawOf(message.power(), file->At("power"));
  if (!power.ok()) return power.status();
  result.power = *std::move(power);
  for (int i = 0; i < message.attention_size(); ++i) {
    const absl::Status status =
        ReadAttention(message.attention(i),
                      file->At("attention").At(static_cast<size_t>(i)), result);
    if (!status.ok()) return status;
  }
  absl::StatusOr<MemoryBoundLaw> memory_bound =
      MemoryBoundLawOf(message.memory_bound(), file->At("memory_bound"));
  if (!memory_bound.ok()) return memory_bound.status();
  result.memory_bound = *std::move(memory_bound);
  return result;
}

}  // namespace hardware
