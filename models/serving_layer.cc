// The operators of a layer and of the ends, but for attention.
#include <algorithm>
#include <cmath>

#include "models/expert_layer.h"
#include "models/expert_load.h"
#include "models/serving.h"

namespace models {
namespace {

sim::Bytes Elements(double elements, double bytes = 2) {
  return sim::Bytes(static_cast<int64_t>(elements * bytes));
}

// Writes the operators of one rank.
class ServingEmitter {
 public:
  ServingEmitter(const ModelSpec& model, const ServingSpec& spec,
                 int64_t tokens)
      : model_(model),
        spec_(spec),
        tokens_(tokens),
        attention_ranks_(spec.data_parallel_attention ? 1 : spec.tensor),
        own_(spec.data_parallel_attention
                 ? (tokens + spec.tensor - 1) / spec.tensor
                 : tokens) {}

  std::vector<Op> Layer(int64_t layer);
  std::vector<Op> Ends(int64_t sampled);

 private:
  void Add(absl::string_view name, std::variant<Kernel, Collective> work) {
    ops_.push_back({.work = std::move(work), .name = name});
  }
  void Pass(absl::string_view name, Pointwise kind, double elements_read,
            double elements_written, int64_t rows) {
    Add(name, Kernel(MemoryBound{.kind = kind,
                                 .family = spec_.kernels.pointwise,
                                 .read = Elements(elements_read),
                                 .written = Elements(elements_written),
                                 .flops = {},
                                 .rows = rows}));
  }
  void Product(absl::string_view name, int64_t rows, int64_t n, int64_t k,
               bool quantised = true, int64_t batch = 1);
  void Reduce(absl::string_view name, int64_t rows);
  void AddAndNorm(absl::string_view name);
  void Attention();
  void LatentProjections();
  void Mlp(int64_t ffn, int64_t ranks, int64_t rows);
  void ExpertsOf();
  void FusedExperts();
  void EachExpert();
  ExpertRows Rows() const;
  int64_t ExpertColumns() const;
  void Adapters(absl::string_view name, int64_t n, int64_t k);
  int64_t Share(int64_t heads) const {
    return std::max<int64_t>(1, heads / attention_ranks_);
  }

  const ModelSpec& model_;
  const ServingSpec& spec_;
  int64_t tokens_, attention_ranks_;
  int64_t own_;  // tokens of which this rank computes attention
  std::vector<Op> ops_;
};

void ServingEmitter::Product(absl::string_view name, int64_t rows, int64_t n,
                             int64_t k, bool quantised, int64_t batch) {
  Gemm gemm{.batch = batch,
            .m = rows,
            .n = n,
            .k = k,
            .family = spec_.kernels.gemm};
  const WeightFormat format = quantised ? spec_.weights : WeightFormat::k16Bit;
  switch (format) {
    case WeightFormat::k16Bit:
      break;
    case WeightFormat::kFp8:
      gemm.dtype = DType::kFp8;
      gemm.family = spec_.kernels.fp8;
      break;
    case WeightFormat::kFp8Blocks:
      gemm.dtype = DType::kFp8;
      gemm.family = spec_.kernels.blocks;
      break;
    case WeightFormat::kInt8:
      gemm.dtype = DType::kInt8;
      gemm.family = GemmFamily::kTensorRtLlmInt8;
      break;
    case WeightFormat::kInt8Weights:
      gemm.weight = DType::kInt8;
      gemm.family = GemmFamily::kWeightOnly;
      break;
    case WeightFormat::kInt4Weights:
      gemm.weight = DType::kInt4;
      gemm.family = GemmFamily::kWeightOnly;
      break;
  }
  if (gemm.dtype != DType::kBf16 && !spec_.kernels.fused_quantise) {
    Add("quantise", Kernel(Quantise{.rows = rows * batch,
                                    .columns = k,
                                    .family = gemm.family,
                                    .to = gemm.dtype}));
  }
  Add(name, Kernel(gemm));
  if (quantised && batch == 1) Adapters(name, n, k);
}

// Low-rank products of the adapters that a step's requests use, one after the
// other for all of them (Punica's SGMV, as vLLM runs it).
void ServingEmitter::Adapters(absl::string_view name, int64_t n, int64_t k) {
  if (spec_.adapters == 0) return;
  const int64_t batch = std::min(spec_.adapters, own_);
  const int64_t rows = (own_ + batch - 1) / batch;
  const int64_t rank = spec_.adapter_rank;
  Add(name, Kernel(Gemm{.batch = batch, .m = rows, .n = rank, .k = k}));
  Add(name, Kernel(Gemm{.batch = batch, .m = rows, .n = n, .k = rank}));
}

void ServingEmitter::Reduce(absl::string_view name, int64_t rows) {
  if (spec_.tensor == 1) return;
  Add(name, Collective{.kind = CollectiveKind::kAllReduce,
                       .bytes = BytesOf(DType::kBf16, rows * model_.hidden),
                       .library = spec_.kernels.all_reduce});
}

// The residual is added and written back beside the normalised rows.
void ServingEmitter::AddAndNorm(absl::string_view name) {
  const auto elements = static_cast<double>(own_ * model_.hidden);
  Pass(name, Pointwise::kNorm, 2 * elements, 2 * elements, own_);
}

// Down to the latent vectors and up to the heads; keys and values stay latent,
// the products with their up-projection are taken on the queries and on the
// output instead (DeepSeek-V2, section 2.1.2, "absorbed").
void ServingEmitter::LatentProjections() {
  const models::LatentAttention& l = *model_.latent;
  const int64_t heads = Share(model_.heads);
  const int64_t key = l.qk_nope_head_dim + l.qk_rope_head_dim;
  const int64_t latent = l.kv_lora_rank + l.qk_rope_head_dim;
  if (l.q_lora_rank > 0) {
    Product("latent down", own_, l.q_lora_rank + latent, model_.hidden);
    Pass("latent norm", Pointwise::kNorm,
         static_cast<double>(own_ * (l.q_lora_rank + latent)),
         static_cast<double>(own_ * (l.q_lora_rank + latent)), own_);
    Product("query up", own_, heads * key, l.q_lora_rank);
  } else {
    Product("query", own_, heads * key, model_.hidden);
    Product("latent down", own_, latent, model_.hidden);
  }
  Add("query absorbed", Kernel(Gemm{.batch = heads,
                                    .m = own_,
                                    .n = l.kv_lora_rank,
                                    .k = l.qk_nope_head_dim}));
}

void ServingEmitter::Attention() {
  AddAndNorm("attention norm");
  const int64_t heads = Share(model_.heads), kv = Share(model_.kv_heads);
  if (model_.latent) {
    LatentProjections();
  } else {
    Product("qkv", own_, (heads + 2 * kv) * model_.head_dim, model_.hidden);
  }
  const auto rotated =
      static_cast<double>(own_ * (heads + kv) * model_.head_dim);
  if (model_.qk_norm) {
    Pass("query and key norm", Pointwise::kNorm, rotated, rotated,
         own_ * (heads + kv));
  }
  if (model_.positions == Positions::kRotary && !spec_.kernels.fused_rotary) {
    Pass("rotary", Pointwise::kRotary, rotated, rotated, own_);
  }
  if (model_.latent) {
    Add("value up", Kernel(Gemm{.batch = heads,
                                .m = own_,
                                .n = model_.latent->v_head_dim,
                                .k = model_.latent->kv_lora_rank}));
  }
  const int64_t value =
      model_.latent ? model_.latent->v_head_dim : model_.head_dim;
  Product("attention out", own_, model_.hidden, heads * value);
}

void ServingEmitter::Mlp(int64_t ffn, int64_t ranks, int64_t rows) {
  const int64_t columns = std::max<int64_t>(1, ffn / ranks);
  Product("mlp up", rows, columns * (model_.gated_mlp ? 2 : 1), model_.hidden);
  const auto activated = static_cast<double>(rows * columns);
  Pass("activation",
       model_.gated_mlp ? Pointwise::kGated : Pointwise::kActivation,
       activated * (model_.gated_mlp ? 2 : 1), activated, rows);
  Product("mlp down", rows, model_.hidden, columns);
}

// Every rank of an expert-parallel group has every token, gathered where
// attention divides the tokens; what the ranks' experts made of it is summed.
void ServingEmitter::ExpertsOf() {
  const Experts& e = *model_.experts;
  if (spec_.data_parallel_attention && spec_.tensor > 1) {
    Add("ep all-gather", Collective{.kind = CollectiveKind::kAllGather,
                                    .bytes = BytesOf(DType::kBf16,
                                                     tokens_ * model_.hidden)});
  }
  Add("router", Kernel(Gemm{.m = tokens_,
                            .n = e.count,
                            .k = model_.hidden,
                            .output = DType::kFp32,
                            .family = spec_.kernels.gemm}));
  if (spec_.kernels.experts == ExpertKernels::kSequential ||
      spec_.weights == WeightFormat::kInt8Weights ||
      spec_.weights == WeightFormat::kInt4Weights ||
      spec_.weights == WeightFormat::kInt8) {
    EachExpert();
  } else {
    FusedExperts();
  }
  if (e.shared_ffn_hidden > 0) {
    Mlp(e.shared_ffn_hidden, spec_.tensor, tokens_);
  }
  if (spec_.data_parallel_attention && spec_.tensor > 1) {
    Add("ep reduce-scatter",
        Collective{.kind = CollectiveKind::kReduceScatter,
                   .bytes = BytesOf(DType::kBf16, tokens_ * model_.hidden)});
  } else {
    Reduce("mlp all-reduce", tokens_);
  }
}

ExpertRows ServingEmitter::Rows() const {
  const Experts& e = *model_.experts;
  return BalancedRows({.tokens = tokens_,
                       .experts = e.count,
                       .top_k = e.top_k,
                       .ranks = spec_.expert});
}

int64_t ServingEmitter::ExpertColumns() const {
  return model_.experts->ffn_hidden / (spec_.expert > 1 ? 1 : spec_.tensor);
}

// One product over the weights of the experts that have rows, as many rows on
// each, in the format of the other layers.
void ServingEmitter::EachExpert() {
  const ExpertRows rows = Rows();
  const auto active = std::max<int64_t>(1, std::llround(rows.active));
  const auto each = std::max<int64_t>(
      1, std::llround(rows.rows / std::max(1.0, rows.active)));
  const int64_t columns = ExpertColumns();
  Product("experts", each, columns * (model_.gated_mlp ? 2 : 1), model_.hidden,
          true, active);
  const auto activated = static_cast<double>(each * active * columns);
  Pass("activation",
       model_.gated_mlp ? Pointwise::kGated : Pointwise::kActivation,
       activated * (model_.gated_mlp ? 2 : 1), activated, each * active);
  Product("experts", each, model_.hidden, columns, true, active);
}

void ServingEmitter::FusedExperts() {
  const Experts& e = *model_.experts;
  const DType dtype = spec_.weights == WeightFormat::kFp8 ||
                              spec_.weights == WeightFormat::kFp8Blocks
                          ? DType::kFp8
                          : DType::kBf16;
  ExpertLayer layer{
      .tokens = tokens_,
      .choices = tokens_ * e.top_k,
      .hidden = model_.hidden,
      .inter = ExpertColumns(),
      .experts = e.count / spec_.expert,
      .rows = Rows(),
      .gated = model_.gated_mlp,
      .dtype = dtype,
      .family = spec_.kernels.experts,
      .routes = true};
  for (const Kernel& kernel : ExpertLayerKernels(layer)) Add("experts", kernel);
}

std::vector<Op> ServingEmitter::Layer(int64_t layer) {
  Attention();
  const bool joined = model_.parallel_residual;  // one reduction for both halves
  if (!spec_.data_parallel_attention && !joined) {
    Reduce("attention all-reduce", own_);
  }
  if (!(joined && model_.norms_per_layer == 1)) AddAndNorm("mlp norm");
  if (model_.norms_per_layer == 4) {
    AddAndNorm("attention post-norm");
    AddAndNorm("mlp post-norm");
  }
  if (model_.IsExpertLayer(layer)) {
    ExpertsOf();
  } else {
    Mlp(model_.ffn_hidden, attention_ranks_, own_);
    if (!spec_.data_parallel_attention) Reduce("mlp all-reduce", own_);
  }
  for (Op& op : ops_) op.layer = static_cast<int32_t>(layer);
  return std::move(ops_);
}

std::vector<Op> ServingEmitter::Ends(int64_t sampled) {
  Pass("embedding", Pointwise::kEmbedding,
       static_cast<double>(own_ * model_.hidden),
       static_cast<double>(own_ * model_.hidden), own_);
  if (model_.final_norm) AddAndNorm("final norm");
  if (sampled == 0) return std::move(ops_);
  const int64_t vocab = (model_.vocab + spec_.tensor - 1) / spec_.tensor;
  Product("logits", sampled, vocab, model_.hidden, /*quantised=*/false);
  const auto logits = static_cast<double>(sampled * model_.vocab);
  if (spec_.tensor > 1) {
    Add("logits all-gather",
        Collective{.kind = CollectiveKind::kAllGather,
                   .bytes = BytesOf(DType::kBf16, sampled * model_.vocab)});
  }
  for (int pass = 0; pass < spec_.kernels.sampling_passes; ++pass) {
    Pass("sampling", Pointwise::kSoftmax, 2 * logits, 2 * logits, sampled);
  }
  return std::move(ops_);
}

}  // namespace

std::vector<Op> ServingLayer(const ModelSpec& model, const ServingSpec& spec,
                             int64_t layer, int64_t tokens) {
  return ServingEmitter(model, spec, tokens).Layer(layer);
}

std::vector<Op> ServingEnds(const ModelSpec& model, const ServingSpec& spec,
                            int64_t tokens, int64_t sampled) {
  return ServingEmitter(model, spec, tokens).Ends(sampled);
}

Collective StageMessage(const ModelSpec& model, int64_t tokens) {
  return {.kind = CollectiveKind::kSendRecv,
          .axis = Axis::kForwardOut,
          .bytes = BytesOf(DType::kBf16, tokens * model.hidden)};
}

}  // namespace models
