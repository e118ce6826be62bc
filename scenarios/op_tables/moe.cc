// Layers of experts as serving engines run them, timed on the busiest rank of
// an expert-parallel group. The rows are those of ai-dynamo/aiconfigurator's
// collectors (collector/{vllm,sglang,trtllm}/collect_moe.py).
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "models/expert_layer.h"
#include "models/expert_load.h"
#include "scenarios/op_tables/op_tables.h"

namespace scenarios {
namespace {

using models::DType;
using models::ExpertKernels;

constexpr int64_t kMostExperts = 1 << 12, kMostChoices = 1 << 8;

enum class Engine : uint8_t { kVllm, kSglang, kTensorRtLlm };
constexpr std::pair<absl::string_view, Engine> kEngines[] = {
    {"vllm", Engine::kVllm},
    {"sglang", Engine::kSglang},
    {"trtllm", Engine::kTensorRtLlm},
};

std::optional<Engine> EngineOf(absl::string_view source) {
  for (const auto& [word, engine] : kEngines) {
    if (absl::StrContains(source, word)) return engine;
  }
  return std::nullopt;
}

std::optional<DType> DTypeOf(absl::string_view dtype) {
  if (dtype == "bf16") return DType::kBf16;
  if (dtype == "fp8_block") return DType::kFp8;
  return std::nullopt;
}

// The exponent of "power_law_1.2"; 0 of "balanced".
std::optional<double> AlphaOf(absl::string_view distribution) {
  if (distribution == "balanced") return 0;
  double alpha = 0;
  if (!absl::ConsumePrefix(&distribution, "power_law_") ||
      !absl::SimpleAtod(distribution, &alpha)) {
    return std::nullopt;
  }
  if (!(alpha > 0 && alpha <= 8) || alpha == 1) return std::nullopt;
  return alpha;
}

struct Row {
  std::string gpu, dtype, source, distribution, model;
  models::Routing routing;
  int64_t hidden, inter, tensor_ranks;
};

Row Read(OpRow& row) {
  return {.gpu = row.Text("gpu"),
          .dtype = row.Text("dtype"),
          .source = row.Text("source"),
          .distribution = row.Text("distribution"),
          .model = row.Text("model"),
          .routing = {.tokens = row.Count("num_tokens", kMostTokens),
                      .experts = row.Count("experts", kMostExperts),
                      .top_k = row.Count("topk", kMostChoices),
                      .ranks = row.Count("moe_ep", kMostExperts)},
          .hidden = row.Count("hidden", kMostTokens),
          .inter = row.Count("inter", kMostTokens),
          .tensor_ranks = row.Count("moe_tp", kMostTokens)};
}

std::string WhyNot(const Row& row) {
  const models::Routing& r = row.routing;
  if (!EngineOf(row.source)) {
    return absl::StrCat("no law prices expert layers of ", row.source);
  }
  if (!DTypeOf(row.dtype)) {
    return absl::StrCat("no law prices ", row.dtype, " expert layers");
  }
  if (!AlphaOf(row.distribution)) {
    return absl::StrCat("unknown distribution ", row.distribution);
  }
  if (r.top_k > r.experts) {
    return absl::StrCat("a token cannot take ", r.top_k, " of ", r.experts,
                        " experts");
  }
  if (r.experts % r.ranks != 0 || row.inter % row.tensor_ranks != 0) {
    return absl::StrCat(r.ranks, " x ", row.tensor_ranks,
                        " ranks do not divide ", r.experts,
                        " experts of width ", row.inter);
  }
  return "";
}

// Triton's products have tuned tiles for some counts of experts and GPUs, and
// elsewhere one of two fixed ones. BF16 tiles are shipped for up to 128 experts
// on Hopper and for 8 on Ampere by SGLang (python/sglang/srt/layers/moe/
// moe_runner/triton_utils/configs; get_default_config beside it) and by vLLM
// until 0.14; vLLM 0.19 chooses tiles by size where none are tuned.
void FixTiles(const Row& row, Engine engine, models::ExpertLayer& layer) {
  const bool ampere = absl::StartsWith(row.gpu, "a100");
  if (layer.family != ExpertKernels::kTriton || layer.dtype != DType::kBf16 ||
      (engine == Engine::kVllm && !ampere) ||
      row.routing.experts <= (ampere ? 8 : 128)) {
    return;
  }
  const bool few = row.routing.tokens <= row.routing.experts;
  layer.tile_m = few ? 16 : 64;
  layer.tile_n = few ? 32 : 64;
}

// Measured before the collector changed how it spreads a power law.
bool Early(absl::string_view source) {
  return absl::StrContains(source, "vllm-0.14") ||
         absl::StrContains(source, "trtllm-1.0");
}

models::ExpertLayer LayerOf(const Row& row) {
  const Engine engine = *EngineOf(row.source);
  const double alpha = *AlphaOf(row.distribution);
  const models::Routing& routing = row.routing;
  models::ExpertLayer layer{
      .tokens = routing.tokens,
      .hidden = row.hidden,
      .inter = row.inter / row.tensor_ranks,
      .experts = routing.experts / routing.ranks,
      .rows = alpha > 0 ? models::PowerLawRows(
                              routing,
                              {.alpha = alpha, .to_fullest = Early(row.source)})
                        : models::BalancedRows(routing),
      .dtype = *DTypeOf(row.dtype),
      .family = engine == Engine::kTensorRtLlm ? ExpertKernels::kCutlass
                                               : ExpertKernels::kTriton};
  if (engine == Engine::kSglang) {
    // On one rank the collector's loop chooses the experts, too; of several,
    // it gives the rank only the tokens that have an expert there.
    layer.routes = routing.ranks == 1;
    layer.tokens =
        std::min(routing.tokens, static_cast<int64_t>(layer.rows.rows + 0.5));
  }
  layer.choices = layer.tokens * routing.top_k;
  FixTiles(row, engine, layer);
  return layer;
}

}  // namespace

MeasuredOp MoeOp(OpRow& cells) {
  const Row row = Read(cells);
  const models::Routing& r = row.routing;
  const bool cutlass = absl::StrContains(row.source, "trtllm");
  MeasuredOp op{
      .id = absl::StrCat(row.model, " ", row.dtype, ", ", r.tokens, " tokens, ",
                         row.distribution, ", tp ", row.tensor_ranks, " ep ",
                         r.ranks),
      .family = absl::StrCat(row.dtype, " ", cutlass ? "cutlass" : "triton",
                             " ", row.distribution),
      // The shape of the weights that the rank holds.
      .layout =
          absl::StrCat(row.hidden, "x", row.inter, " / ", row.tensor_ranks,
                       " of ", r.experts, " / ", r.ranks),
      .kernels = {}};
  if (!cells.status().ok()) return op;
  op.skipped = WhyNot(row);
  if (op.skipped.empty()) {
    op.kernels = models::ExpertLayerKernels(LayerOf(row));
  }
  return op;
}

}  // namespace scenarios
