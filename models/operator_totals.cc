#include "models/operator_totals.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "models/kv_cache.h"
#include "models/model_spec.h"
#include "models/op.h"
#include "models/op_graph.h"
#include "models/parameters.h"
#include "sim/column.h"
#include "sim/units.h"

namespace models {
namespace {

void Accumulate(const OperatorTotal& from, OperatorTotal* to) {
  to->count += from.count;
  to->flops += from.flops;
  to->matrix_flops += from.matrix_flops;
  to->read += from.read;
  to->written += from.written;
}

double PerByte(sim::Flops flops, sim::Bytes bytes) {
  return bytes.count() == 0
             ? 0
             : flops.count() / static_cast<double>(bytes.count());
}

// Matrices that multiply every token. The embedding is looked up, and router
// biases and norms are vectors.
bool IsProduct(const ParameterTensor& tensor) {
  return tensor.shape.size() == 2 &&
         !absl::StartsWith(tensor.name, "embedding.");
}

// Query-key pairs of one head over one sequence, in the layers together.
double AttentionPairs(const ModelSpec& model, int64_t sequence,
                      bool causal_half, const Sequences& packed) {
  const auto s = static_cast<double>(sequence);
  double pairs = 0;
  for (int64_t i = 0; i < model.layers + model.mtp_depth; ++i) {
    const int64_t layer = std::min(i, model.layers - 1);
    const int64_t keys = VisibleKeys(model, layer, sequence);
    if (packed.blocks()) {
      const int64_t window = keys < packed.Longest() ? keys : 0;
      pairs += s * packed.fill *
               (causal_half || window > 0 ? packed.VisibleKeys(window)
                                          : packed.Keys());
      continue;
    }
    const auto w = static_cast<double>(keys);
    // Query i sees min(i, w) keys: s·w less the corner of w·(w - 1)/2.
    const bool full = !causal_half && w == s;
    pairs += full ? s * s : s * w - w * (w - 1) / 2;
  }
  return pairs;
}

// FLOPs of Q·K and P·V for one pair, all heads.
double FlopsPerPair(const ModelSpec& model) {
  const int64_t value =
      model.latent ? model.latent->v_head_dim : model.head_dim;
  return 2 * static_cast<double>(model.heads * (model.head_dim + value));
}

// The same while decoding: under latent attention queries are taken into the
// compressed space (the "absorbed" form of DeepSeek-V2, section 2.1.2), where
// all heads share one key of latent and rotary elements and one latent value.
double DecodeFlopsPerPair(const ModelSpec& model) {
  if (!model.latent) return FlopsPerPair(model);
  return 2 *
         static_cast<double>(model.heads * (2 * model.latent->kv_lora_rank +
                                            model.latent->qk_rope_head_dim));
}

// Experts that `batch` tokens visit at most.
int64_t ExpertsVisited(const ParameterTensor& tensor, int64_t batch) {
  return std::min(tensor.copies, tensor.active * batch);
}

}  // namespace

double OperatorTotal::intensity() const {
  return PerByte(flops, read + written);
}

std::vector<OperatorTotal> TotalsOf(const OpGraph& graph) {
  std::vector<OperatorTotal> totals;
  for (const Op& op : graph.ops) {
    const Kernel* kernel = op.kernel();
    if (kernel == nullptr) continue;
    const Work work = WorkOf(*kernel);
    OperatorTotal one{.name = std::string(op.name),
                      .phase = op.phase,
                      .recompute = op.recompute,
                      .count = 1,
                      .flops = work.flops,
                      .matrix_flops = MatrixFlops(*kernel, false),
                      .read = work.read,
                      .written = work.written};
    const auto same =
        std::find_if(totals.begin(), totals.end(), [&](const OperatorTotal& t) {
          return t.name == one.name && t.phase == one.phase &&
                 t.recompute == one.recompute;
        });
    if (same == totals.end()) {
      totals.push_back(std::move(one));
    } else {
      Accumulate(one, &*same);
    }
  }
  return totals;
}

OperatorTotal SumOf(std::span<const OperatorTotal> totals) {
  OperatorTotal sum;
  sum.name = "sum";
  for (const OperatorTotal& total : totals) Accumulate(total, &sum);
  return sum;
}

OperatorTotal SumOf(std::span<const OperatorTotal> totals, Phase phase,
                    bool recompute) {
  OperatorTotal sum;
  sum.name = "sum";
  sum.phase = phase;
  sum.recompute = recompute;
  for (const OperatorTotal& total : totals) {
    if (total.phase == phase && total.recompute == recompute) {
      Accumulate(total, &sum);
    }
  }
  return sum;
}

std::vector<ProductTotal> ProductsOf(const ModelSpec& model, int64_t batch,
                                     int64_t sequence, bool causal_half,
                                     const Sequences& sequences) {
  std::vector<ProductTotal> products;
  const auto tokens = static_cast<double>(batch * sequence);
  const auto add = [&](const std::string& name, double flops) {
    products.push_back({name, sim::Flops(flops), sim::Flops(2 * flops)});
  };
  const auto name_of = [&](const ParameterGroup& group,
                           const ParameterTensor& tensor) {
    return model.experts ? absl::StrCat(group.name, ": ", tensor.name)
                         : tensor.name;
  };
  for (const ParameterGroup& group : CountParameters(model).groups) {
    for (const ParameterTensor& tensor : group.tensors) {
      if (!IsProduct(tensor)) continue;
      const int64_t visited = group.layers * tensor.active_elements();
      add(name_of(group, tensor), 2 * tokens * static_cast<double>(visited));
    }
  }
  if (model.linear_stack) {
    // The first layer needs no gradient of its input.
    const auto square = static_cast<double>(model.hidden * model.hidden);
    products[0].backward -= sim::Flops(2 * tokens * square);
    return products;
  }
  const auto head = static_cast<double>(
      model.vocab *
      (model.embedding_dim > 0 ? model.embedding_dim : model.hidden));
  if (model.tied_embeddings) add("lm_head (tied)", 2 * tokens * head);
  if (model.mtp_depth > 0) {
    add("lm_head (of mtp layers)",
        2 * tokens * static_cast<double>(model.mtp_depth) * head);
  }
  add("attention", static_cast<double>(batch) * FlopsPerPair(model) *
                       AttentionPairs(model, sequence, causal_half, sequences));
  return products;
}

ProductTotal SumOf(std::span<const ProductTotal> products) {
  ProductTotal sum;
  sum.name = "sum";
  for (const ProductTotal& product : products) {
    sum.forward += product.forward;
    sum.backward += product.backward;
  }
  return sum;
}

double DecodeWork::intensity() const {
  return PerByte(flops, weights + kv_cache);
}

DecodeWork DecodeWorkOf(const ModelSpec& model, int64_t batch, int64_t context,
                        DType dtype) {
  DecodeWork work;
  ModelSpec decoding = model;
  decoding.mtp_depth = 0;
  work.flops = SumOf(ProductsOf(decoding, batch, 1, true)).forward;
  double keys = 0;  // beyond the token itself, in the layers together
  for (int64_t layer = 0; layer < model.layers; ++layer) {
    keys += static_cast<double>(VisibleKeys(model, layer, context) - 1);
  }
  if (!model.linear_stack) {
    work.flops += sim::Flops(static_cast<double>(batch) * keys *
                             DecodeFlopsPerPair(model));
  }
  int64_t elements = 0;
  for (const ParameterGroup& group : CountParameters(model).groups) {
    if (group.name == "mtp layer") continue;
    for (const ParameterTensor& tensor : group.tensors) {
      // Of a table only the tokens' rows are read; tied, all for the LM head.
      if (tensor.name == "embedding.positions.weight" ||
          (tensor.name == "embedding.tokens.weight" &&
           !model.tied_embeddings)) {
        elements += batch * tensor.shape[1];
        continue;
      }
      elements += group.layers * tensor.elements() / tensor.copies *
                  ExpertsVisited(tensor, batch);
    }
  }
  work.weights = BytesOf(dtype, elements);
  work.kv_cache = KvBytes(model, dtype, batch, context);
  return work;
}

}  // namespace models
