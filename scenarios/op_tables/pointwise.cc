// Kernels bound by memory. What ran follows from who measured: `source` names
// the program, and with it the family of kernels, the state of L2 and what the
// program's clock adds.
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "models/pointwise_work.h"
#include "scenarios/op_tables/op_tables.h"

namespace scenarios {
namespace {

using hardware::L2;
using models::MemoryBound;
using models::Pointwise;
using models::PointwiseFamily;
using models::PointwiseOp;

struct Source {
  absl::string_view begins;  // of the source's name
  PointwiseFamily family;
  L2 l2;  // warm: one kernel repeated on its buffers
  // Host time in every row, in us: events around calls that the host had not
  // launched ahead. Fitted with the law
  // (hardware/calibration/ampere.textproto).
  double overhead_us = 0;
};
constexpr Source kSources[] = {
    {"aiconfigurator-trtllm", PointwiseFamily::kTensorRtLlm, L2::kWarm},
    {"aiconfigurator-vllm", PointwiseFamily::kVllm, L2::kWarm},
    {"vidur", PointwiseFamily::kVllm2024, L2::kWarm},
    {"llmservingsim", PointwiseFamily::kEager, L2::kWarm},
    {"neusight", PointwiseFamily::kPyTorch, L2::kWarm, 19},
    {"llmcompass", PointwiseFamily::kPyTorch, L2::kWarm, 47},
};
constexpr Source kAnyOther = {"", PointwiseFamily::kPyTorch, L2::kCold};

const Source& SourceOf(absl::string_view name) {
  for (const Source& source : kSources) {
    if (absl::StartsWith(name, source.begins)) return source;
  }
  return kAnyOther;
}

// One kernel over `rows` x `width`, `bytes` of least traffic.
struct Kind {
  absl::string_view op;
  Pointwise kind;
  int parts_read, parts;  // of the bytes
};
constexpr Kind kKinds[] = {
    {"add", Pointwise::kResidual, 2, 3},
    {"mul", Pointwise::kResidual, 2, 3},
    {"relu", Pointwise::kActivation, 1, 2},
    {"gelu", Pointwise::kActivation, 1, 2},
    {"tanh", Pointwise::kActivation, 1, 2},
    {"silu_mul", Pointwise::kGated, 2, 3},
    {"layernorm", Pointwise::kNorm, 1, 2},
    {"rmsnorm", Pointwise::kNorm, 1, 2},
    {"softmax", Pointwise::kSoftmax, 1, 2},
    {"rope", Pointwise::kRotary, 1, 2},
    {"embedding", Pointwise::kEmbedding, 1, 2},
    {"fp8_quant_static", Pointwise::kCast, 2, 3},
    // A pass for the greatest magnitude; its launch is that of several kernels.
    {"fp8_amax", Pointwise::kReduction, 1, 1},
};

// Hugging Face modules: chains of kernels, with the traffic of each.
// LLMServingSim's "silu" is SiLU and the product with the gate's partner.
constexpr std::pair<absl::string_view, PointwiseOp> kChains[] = {
    {"silu", PointwiseOp::kGatedForward},
    {"rmsnorm_unfused_hf", PointwiseOp::kRmsNormForward},
    {"rope_unfused_hf", PointwiseOp::kRotary},
};

std::optional<MemoryBound> ChainOf(absl::string_view op, int64_t rows,
                                   int64_t width) {
  for (const auto& [name, chain] : kChains) {
    if (name != op) continue;
    MemoryBound kernel =
        models::PointwiseWork(chain, /*fused=*/false, rows * width, 16, rows);
    // Queries and keys one after the other.
    if (chain == PointwiseOp::kRotary) kernel.kernels *= 2;
    return kernel;
  }
  return std::nullopt;
}

std::optional<MemoryBound> KernelOf(absl::string_view op, int64_t rows,
                                    int64_t bytes) {
  for (const Kind& kind : kKinds) {
    if (kind.op != op) continue;
    const int64_t read = bytes / kind.parts * kind.parts_read;
    return MemoryBound{.kind = kind.kind,
                       .read = sim::Bytes(read),
                       .written = sim::Bytes(bytes - read),
                       .flops = {},
                       .rows = rows};
  }
  return std::nullopt;
}

// Phi adds the attention's and the MLP's output to the residual stream, which
// the table counts as one addition.
void CountAdditions(const std::string& name, const std::string& model,
                    MemoryBound& kernel) {
  if (name != "add" || model != "microsoft/phi-2") return;
  kernel.kernels = 2;
  kernel.read = kernel.read * 2;
  kernel.written = kernel.written * 2;
}

}  // namespace

MeasuredOp PointwiseOp(OpRow& row) {
  const std::string name = row.Text("op");
  const int64_t rows = row.Count("rows", kMostRows);
  const int64_t width = row.Count("width", kMostRows);
  const Source& source = SourceOf(row.Text("source"));
  MeasuredOp op{
      .id = absl::StrCat(name, " ", rows, "x", width),
      .family = absl::StrCat(name, " ", models::NameOf(source.family)),
      .layout = absl::StrCat(name, " ", width),
      .kernels = {},
      .l2 = source.l2,
      .overhead_us = source.overhead_us};
  const std::optional<MemoryBound> chain = ChainOf(name, rows, width);
  if (chain) {
    op.kernels.push_back(*chain);
    return op;
  }
  std::optional<MemoryBound> kernel =
      KernelOf(name, rows, row.Count("bytes", kMostBytes));
  if (!kernel) {
    op.skipped = absl::StrCat("no law prices ", name);
    return op;
  }
  kernel->family = source.family;
  if (row.Has("model")) CountAdditions(name, row.Text("model"), *kernel);
  op.kernels.push_back(*kernel);
  return op;
}

}  // namespace scenarios
