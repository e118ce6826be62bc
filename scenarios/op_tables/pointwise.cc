#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "scenarios/op_tables/op_tables.h"

namespace scenarios {
namespace {

using hardware::L2;
using models::Pointwise;

std::optional<Pointwise> KindOf(absl::string_view op) {
  static constexpr std::pair<absl::string_view, Pointwise> kKinds[] = {
      {"add", Pointwise::kResidual},
      {"mul", Pointwise::kResidual},
      {"relu", Pointwise::kActivation},
      {"gelu", Pointwise::kActivation},
      {"tanh", Pointwise::kActivation},
      {"silu", Pointwise::kActivation},
      {"silu_mul", Pointwise::kActivation},
      {"layernorm", Pointwise::kNorm},
      {"rmsnorm", Pointwise::kNorm},
      {"softmax", Pointwise::kSoftmax},
      {"rope", Pointwise::kRotary},
      {"embedding", Pointwise::kEmbedding},
      {"fp8_quant_static", Pointwise::kCast},
  };
  for (const auto& [name, kind] : kKinds) {
    if (name == op) return kind;
  }
  return std::nullopt;
}

}  // namespace

MeasuredOp PointwiseOp(OpRow& row) {
  const std::string name = row.Text("op");
  const std::string width = row.Text("width");
  MeasuredOp op{.id = absl::StrCat(name, " ", row.Text("rows"), "x", width),
                .family = name,
                .layout = width,
                .kernels = {},
                // A CUDA graph that repeats one kernel on its buffers.
                .l2 = absl::StartsWith(row.Text("source"), "aiconfigurator")
                          ? L2::kWarm
                          : L2::kCold};
  const std::optional<Pointwise> kind = KindOf(name);
  if (!kind) {
    op.skipped = absl::StrCat("no law prices ", name);
    return op;
  }
  op.kernels.push_back(
      models::MemoryBound{.kind = *kind,
                          .read = sim::Bytes(row.Count("bytes", kMostBytes)),
                          .written = {},
                          .flops = {}});
  return op;
}

}  // namespace scenarios
