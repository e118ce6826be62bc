#include "models/op.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace models {
namespace {

bool Windowed(const Attention& a) {
  return a.causal && a.window > 0 && a.window < a.keys;
}

// Query-key pairs that are not masked away. Causal: query i of q sees the
// first keys - q + i + 1 keys; with a window the last `window` of those.
double VisiblePairs(const Attention& a) {
  const auto q = static_cast<double>(a.queries);
  const auto k = static_cast<double>(a.keys);
  if (a.seen_keys > 0) return q * a.seen_keys;
  if (!a.causal) return q * k;
  if (!Windowed(a)) return q * k - q * (q - 1) / 2;
  const auto window = static_cast<double>(a.window);
  // Queries that see fewer: one short of the window, two short, …
  const double fewer = std::max(0.0, window - (k - q + 1));
  return q * window - fewer * (fewer + 1) / 2;
}

Work Count(const Gemm& g) {
  const int64_t c_elements = g.batch * g.m * g.n;
  const sim::Bytes c = BytesOf(g.output, c_elements);
  return {sim::Flops(2.0 * static_cast<double>(c_elements) *
                     static_cast<double>(g.k)),
          BytesOf(g.dtype, g.batch * g.m * g.k) +
              BytesOf(g.weight.value_or(g.dtype), g.batch * g.n * g.k) +
              (g.accumulate ? c : sim::Bytes(0)),
          c};
}

// Forward multiplies twice over the visible pairs (Q K^T, P V); backward five
// times: scores again, dV, dP, dQ, dK (FlashAttention, arXiv:2205.14135).
Work Count(const Attention& a) {
  const double rows = static_cast<double>(a.batch * a.heads) * VisiblePairs(a);
  const auto qk = static_cast<double>(a.head_dim);
  const auto v = static_cast<double>(a.value_head_dim);
  const double products = a.backward ? 3 * qk + 2 * v : qk + v;
  const int64_t q = a.batch * a.heads * a.queries * a.head_dim;
  const int64_t o = a.batch * a.heads * a.queries * a.value_head_dim;
  const int64_t kv =
      a.batch * a.kv_heads * a.keys * (a.head_dim + a.value_head_dim);
  if (!a.backward) {
    return {sim::Flops(2 * rows * products),
            BytesOf(a.dtype, q) + BytesOf(a.cache.value_or(a.dtype), kv),
            BytesOf(a.dtype, o)};
  }
  return {sim::Flops(2 * rows * products), BytesOf(a.dtype, q + kv + 2 * o),
          BytesOf(a.dtype, q + kv)};
}

Work Count(const MemoryBound& m) { return {m.flops, m.read, m.written}; }

Work Count(const GroupedGemm& g) {
  const double bytes = BitsOf(g.dtype) / 8.0;
  const auto n = static_cast<double>(g.n), k = static_cast<double>(g.k);
  if (g.weight_gradient) {
    const sim::Bytes sum(
        std::llround(g.rows.active * n * k * BitsOf(g.output) / 8.0));
    return {sim::Flops(2 * g.rows.rows * n * k),
            sim::Bytes(std::llround(g.rows.rows * (n + k) * bytes)) +
                (g.accumulate ? sum : sim::Bytes(0)),
            sum};
  }
  return {
      sim::Flops(2 * g.rows.rows * n * k),
      sim::Bytes(std::llround((g.rows.active * n + g.rows.rows) * k * bytes)),
      sim::Bytes(std::llround(g.rows.rows * n * BitsOf(g.output) / 8.0))};
}

Work Count(const Quantise& q) {
  return {sim::Flops(0), BytesOf(q.from, q.rows * q.columns),
          BytesOf(q.to, q.rows * q.columns)};
}

Work Count(const ExpertPass& p) { return {sim::Flops(0), p.read, p.written}; }

}  // namespace

absl::string_view NameOf(GemmFamily family) {
  constexpr absl::string_view kNames[] = {
      "cublas",     "cublas-2024",         "cutlass",
      "deepgemm",   "tensorrt-llm-blocks", "tensorrt-llm-int8",
      "weight-only"};
  return kNames[static_cast<size_t>(family)];
}

absl::string_view NameOf(AttentionFamily family) {
  constexpr absl::string_view kNames[] = {
      "fa1",  "triton", "fa2",          "fa3",       "cudnn",
      "vllm", "sglang", "tensorrt-llm", "flashinfer"};
  return kNames[static_cast<size_t>(family)];
}

absl::string_view NameOf(Pointwise kind) {
  constexpr absl::string_view kNames[] = {
      "norm", "activation", "gated",         "rotary",    "residual", "softmax",
      "cast", "embedding",  "cross-entropy", "optimizer", "reduction"};
  return kNames[static_cast<size_t>(kind)];
}

absl::string_view NameOf(PointwiseFamily family) {
  constexpr absl::string_view kNames[] = {"pytorch", "eager", "vllm-2024",
                                          "vllm", "tensorrt-llm"};
  return kNames[static_cast<size_t>(family)];
}

absl::string_view NameOf(CollectiveKind kind) {
  constexpr absl::string_view kNames[] = {"all-reduce",     "all-gather",
                                          "reduce-scatter", "all-to-all",
                                          "broadcast",      "send-recv",
                                          "copy",           "host work",
                                          "disk read",      "disk write"};
  return kNames[static_cast<size_t>(kind)];
}

absl::string_view NameOf(AllReduceLibrary library) {
  constexpr absl::string_view kNames[] = {"nccl", "vllm", "sglang",
                                          "tensorrt-llm"};
  return kNames[static_cast<size_t>(library)];
}

absl::string_view NameOf(Axis axis) {
  constexpr absl::string_view kNames[] = {"tp",
                                          "cp",
                                          "cp heads",
                                          "dp",
                                          "fsdp shard",
                                          "replicate",
                                          "embedding",
                                          "model",
                                          "pp forward in",
                                          "pp forward",
                                          "pp backward in",
                                          "pp backward",
                                          "ep",
                                          "etp",
                                          "expert dp",
                                          "expert shard",
                                          "expert replicate",
                                          "expert model",
                                          "second shard",
                                          "shard near",
                                          "shard far",
                                          "to host",
                                          "to device",
                                          "cpu",
                                          "disk",
                                          "pp up forward in",
                                          "pp up forward",
                                          "pp up backward in",
                                          "pp up backward",
                                          "pp vocabulary",
                                          "stage"};
  return kNames[static_cast<size_t>(axis)];
}

bool Sends(Axis axis) {
  return axis == Axis::kForwardOut || axis == Axis::kBackwardOut ||
         axis == Axis::kUpForwardOut || axis == Axis::kUpBackwardOut;
}

bool Receives(Axis axis) {
  return axis == Axis::kForwardIn || axis == Axis::kBackwardIn ||
         axis == Axis::kUpForwardIn || axis == Axis::kUpBackwardIn;
}

Axis ReceivingEnd(Axis axis) {
  switch (axis) {
    case Axis::kForwardOut:
      return Axis::kForwardIn;
    case Axis::kBackwardOut:
      return Axis::kBackwardIn;
    case Axis::kUpForwardOut:
      return Axis::kUpForwardIn;
    case Axis::kUpBackwardOut:
      return Axis::kUpBackwardIn;
    default:
      return axis;
  }
}

Work WorkOf(const Kernel& kernel) {
  return std::visit([](const auto& k) { return Count(k); }, kernel);
}

int LaunchesOf(const Kernel& kernel) {
  if (const auto* bound = std::get_if<MemoryBound>(&kernel)) {
    return bound->kernels;
  }
  if (const auto* gemm = std::get_if<GroupedGemm>(&kernel)) {
    const bool each = gemm->family == ExpertKernels::kTransformerEngine ||
                      gemm->family == ExpertKernels::kSequential;
    return each ? static_cast<int>(std::ceil(gemm->rows.active)) : 1;
  }
  const auto* pass = std::get_if<ExpertPass>(&kernel);
  return pass == nullptr ? 1 : pass->kernels;
}

sim::Flops MatrixFlops(const Kernel& kernel, bool causal_half) {
  if (const auto* attention = std::get_if<Attention>(&kernel)) {
    Attention counted = *attention;
    if (!causal_half && !Windowed(counted)) {
      counted.causal = false;
      counted.seen_keys = counted.counted_keys;
    }
    return WorkOf(counted).flops;
  }
  if (std::holds_alternative<Gemm>(kernel) ||
      std::holds_alternative<GroupedGemm>(kernel)) {
    return WorkOf(kernel).flops;
  }
  return sim::Flops(0);
}

std::string Dump(const Kernel& kernel) {
  struct Printer {
    std::string operator()(const Gemm& g) const {
      return absl::StrCat(
          "gemm ", g.batch > 1 ? absl::StrCat(g.batch, "x") : "", g.m, "x", g.n,
          "x", g.k, " ", NameOf(g.dtype),
          g.weight ? absl::StrCat(" x ", NameOf(*g.weight)) : "",
          g.family == GemmFamily::kCublas ? ""
                                          : absl::StrCat(" ", NameOf(g.family)),
          g.accumulate ? " accumulate" : "");
    }
    std::string operator()(const Attention& a) const {
      return absl::StrFormat(
          "attention%s %s %dx%d/%dx%dx%dx%d%s%s %s%s",
          a.backward ? " backward" : "", NameOf(a.family), a.batch, a.heads,
          a.kv_heads, a.queries, a.keys, a.head_dim, a.causal ? " causal" : "",
          absl::StrCat(a.window > 0 ? absl::StrCat(" window ", a.window) : "",
                       a.seen_keys > 0
                           ? absl::StrFormat(" seen %.6g", a.seen_keys)
                           : ""),
          NameOf(a.dtype),
          a.cache ? absl::StrCat(" over ", NameOf(*a.cache)) : "");
    }
    std::string operator()(const MemoryBound& m) const {
      const bool own = m.family == PointwiseFamily::kPyTorch;
      return absl::StrCat(own ? "" : NameOf(m.family), own ? "" : " ",
                          NameOf(m.kind), " read ", m.read.count(), " written ",
                          m.written.count(),
                          m.kernels > 1 ? absl::StrCat(" x", m.kernels) : "");
    }
    std::string operator()(const Quantise& q) const {
      return absl::StrCat("quantise ", q.rows, "x", q.columns, " ",
                          NameOf(q.from), " to ", NameOf(q.to), " for ",
                          NameOf(q.family));
    }
    std::string operator()(const GroupedGemm& g) const {
      return absl::StrFormat("grouped gemm %s %.5g experts %.6gx%dx%d %s%s%s",
                             NameOf(g.family), g.rows.active, g.rows.rows, g.n,
                             g.k, NameOf(g.dtype),
                             g.weight_gradient ? " weight gradient" : "",
                             g.accumulate ? " accumulate" : "");
    }
    std::string operator()(const ExpertPass& p) const {
      return absl::StrCat("expert ", NameOf(p.step), " ", NameOf(p.family),
                          " read ", p.read.count(), " written ",
                          p.written.count(), " ", NameOf(p.dtype));
    }
  };
  return std::visit(Printer(), kernel);
}

}  // namespace models
