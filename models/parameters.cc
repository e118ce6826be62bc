#include "models/parameters.h"

#include <cassert>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "models/model_spec.h"

namespace models {
namespace {

class ParameterList {
 public:
  void Linear(absl::string_view name, int64_t outputs, int64_t inputs,
              bool bias) {
    tensors_.push_back({absl::StrCat(name, ".weight"), {outputs, inputs}});
    if (bias) tensors_.push_back({absl::StrCat(name, ".bias"), {outputs}});
  }
  // Of routed experts: `copies` matrices, of which a token visits `active`.
  void Routed(absl::string_view name, int64_t outputs, int64_t inputs,
              const Experts& experts) {
    tensors_.push_back({absl::StrCat(name, ".weight"),
                        {outputs, inputs},
                        experts.count,
                        experts.top_k});
    if (!experts.expert_bias) return;
    tensors_.push_back({absl::StrCat(name, ".bias"),
                        {outputs},
                        experts.count,
                        experts.top_k});
  }
  void Vector(absl::string_view name, int64_t width) {
    tensors_.push_back({std::string(name), {width}});
  }
  void Norm(absl::string_view name, int64_t width, const ModelSpec& model) {
    Vector(absl::StrCat(name, ".weight"), width);
    if (model.norm == Norm::kLayerNorm && model.norm_bias) {
      Vector(absl::StrCat(name, ".bias"), width);
    }
  }
  std::vector<ParameterTensor> Take() { return std::move(tensors_); }

 private:
  std::vector<ParameterTensor> tensors_;
};

// Queries: x → (x W_down → norm → W_up), or x W when not compressed. Keys and
// values: x → [latent, rotary key] → norm(latent) W_up; one rotary key serves
// all heads.
void AddLatentAttention(const ModelSpec& model, ParameterList& list) {
  const LatentAttention& latent = *model.latent;
  const int64_t query =
      model.heads * (latent.qk_nope_head_dim + latent.qk_rope_head_dim);
  if (latent.q_lora_rank > 0) {
    list.Linear("attention.query_down", latent.q_lora_rank, model.hidden,
                model.qkv_bias);
    list.Vector("attention.query_down_norm.weight", latent.q_lora_rank);
    list.Linear("attention.query_up", query, latent.q_lora_rank, false);
  } else {
    list.Linear("attention.query", query, model.hidden, false);
  }
  list.Linear("attention.kv_down",
              latent.kv_lora_rank + latent.qk_rope_head_dim, model.hidden,
              model.qkv_bias);
  list.Vector("attention.kv_down_norm.weight", latent.kv_lora_rank);
  list.Linear("attention.kv_up",
              model.heads * (latent.qk_nope_head_dim + latent.v_head_dim),
              latent.kv_lora_rank, false);
  list.Linear("attention.output", model.hidden, model.heads * latent.v_head_dim,
              model.attention_out_bias);
}

void AddAttention(const ModelSpec& model, ParameterList& list) {
  if (model.latent) return AddLatentAttention(model, list);
  const int64_t query = model.heads * model.head_dim;
  const int64_t kv = model.kv_heads * model.head_dim;
  list.Linear("attention.query", query, model.hidden, model.qkv_bias);
  list.Linear("attention.key", kv, model.hidden, model.qkv_bias);
  list.Linear("attention.value", kv, model.hidden, model.qkv_bias);
  if (model.qk_norm) {
    list.Vector("attention.query_norm.weight", model.head_dim);
    list.Vector("attention.key_norm.weight", model.head_dim);
  }
  list.Linear("attention.output", model.hidden, query,
              model.attention_out_bias);
}

void AddDenseMlp(const ModelSpec& model, absl::string_view name,
                 int64_t ffn_hidden, bool bias, ParameterList& list) {
  list.Linear(absl::StrCat(name, ".up"), ffn_hidden, model.hidden, bias);
  if (model.gated_mlp) {
    list.Linear(absl::StrCat(name, ".gate"), ffn_hidden, model.hidden, bias);
  }
  list.Linear(absl::StrCat(name, ".down"), model.hidden, ffn_hidden, bias);
}

void AddExperts(const ModelSpec& model, ParameterList& list) {
  const Experts& experts = *model.experts;
  list.Linear("router", experts.count, model.hidden, experts.router_bias);
  list.Routed("experts.up", experts.ffn_hidden, model.hidden, experts);
  if (model.gated_mlp) {
    list.Routed("experts.gate", experts.ffn_hidden, model.hidden, experts);
  }
  list.Routed("experts.down", model.hidden, experts.ffn_hidden, experts);
  if (experts.shared_ffn_hidden > 0) {
    AddDenseMlp(model, "shared_expert", experts.shared_ffn_hidden, false, list);
    if (experts.shared_gate) {
      list.Linear("shared_expert_gate", 1, model.hidden, false);
    }
  }
}

// Norms by how many a layer has: 1 before attention and MLP, 2 before each,
// 4 before and after each.
void AddLayerNorms(const ModelSpec& model, ParameterList& list) {
  list.Norm("norm_before_attention", model.hidden, model);
  if (model.norms_per_layer >= 4) {
    list.Norm("norm_after_attention", model.hidden, model);
  }
  if (model.norms_per_layer >= 2) {
    list.Norm("norm_before_mlp", model.hidden, model);
  }
  if (model.norms_per_layer >= 4) {
    list.Norm("norm_after_mlp", model.hidden, model);
  }
}

std::vector<ParameterTensor> ParametersOfLayer(const ModelSpec& model,
                                               bool experts) {
  ParameterList list;
  if (model.linear_stack) {
    list.Linear("linear", model.hidden, model.hidden, false);
    return list.Take();
  }
  AddLayerNorms(model, list);
  AddAttention(model, list);
  if (experts) {
    AddExperts(model, list);
  } else {
    AddDenseMlp(model, "mlp", model.ffn_hidden, model.mlp_bias, list);
  }
  return list.Take();
}

std::vector<ParameterTensor> ParametersOfMtp(const ModelSpec& model) {
  ParameterList list;
  list.Norm("mtp.hidden_norm", model.hidden, model);
  list.Norm("mtp.embedding_norm", model.hidden, model);
  list.Linear("mtp.projection", model.hidden, 2 * model.hidden, false);
  std::vector<ParameterTensor> tensors = list.Take();
  std::vector<ParameterTensor> layer =
      ParametersOfLayer(model, model.IsExpertLayer(model.layers - 1));
  tensors.insert(tensors.end(), layer.begin(), layer.end());
  if (model.final_norm) list.Norm("mtp.final_norm", model.hidden, model);
  layer = list.Take();
  tensors.insert(tensors.end(), layer.begin(), layer.end());
  return tensors;
}

bool Projected(const ModelSpec& model) {
  return model.embedding_dim > 0 && model.embedding_dim != model.hidden;
}

std::vector<ParameterTensor> ParametersOfEmbedding(const ModelSpec& model) {
  ParameterList list;
  if (model.linear_stack) return list.Take();
  const int64_t width = Projected(model) ? model.embedding_dim : model.hidden;
  list.Linear("embedding.tokens", model.vocab, width, false);
  if (model.positions == Positions::kLearned) {
    list.Linear("embedding.positions", model.max_positions, model.hidden,
                false);
  }
  if (Projected(model)) {
    list.Linear("project_in", model.hidden, model.embedding_dim, false);
  }
  if (model.embedding_norm) list.Norm("embedding_norm", model.hidden, model);
  return list.Take();
}

std::vector<ParameterTensor> ParametersOfHead(const ModelSpec& model) {
  ParameterList list;
  if (model.linear_stack) {
    if (model.linear_outputs > 0) {
      list.Linear("output", model.linear_outputs, model.hidden, false);
    }
    return list.Take();
  }
  const int64_t width = Projected(model) ? model.embedding_dim : model.hidden;
  if (model.final_norm) list.Norm("final_norm", model.hidden, model);
  if (Projected(model)) {
    list.Linear("project_out", model.embedding_dim, model.hidden, false);
  }
  if (!model.tied_embeddings) {
    list.Linear("lm_head", model.vocab, width, false);
  }
  if (model.lm_head_bias) list.Vector("lm_head.bias", model.vocab);
  return list.Take();
}

// Tables with a row for each token of the vocabulary or each position.
bool IsTable(const ParameterTensor& tensor) {
  return absl::StartsWith(tensor.name, "embedding.") ||
         absl::StartsWith(tensor.name, "lm_head.");
}

}  // namespace

int64_t ParameterTensor::elements() const {
  int64_t product = copies;
  for (const int64_t extent : shape) product *= extent;
  return product;
}

int64_t ParameterTensor::active_elements() const {
  return elements() / copies * active;
}

int64_t ParameterGroup::elements() const {
  int64_t sum = 0;
  for (const ParameterTensor& tensor : tensors) sum += tensor.elements();
  return sum;
}

int64_t ParameterGroup::active_elements() const {
  int64_t sum = 0;
  for (const ParameterTensor& tensor : tensors) sum += tensor.active_elements();
  return sum;
}

Parameters CountParameters(const ModelSpec& model) {
  int64_t expert_layers = 0;
  for (int64_t layer = 0; layer < model.layers; ++layer) {
    expert_layers += model.IsExpertLayer(layer) ? 1 : 0;
  }
  Parameters result;
  const auto add = [&](absl::string_view name, int64_t layers,
                       std::vector<ParameterTensor> tensors) {
    if (layers == 0 || tensors.empty()) return;
    result.groups.push_back({std::string(name), layers, std::move(tensors)});
  };
  add("embedding", 1, ParametersOfEmbedding(model));
  add("layer", model.layers - expert_layers, ParametersOfLayer(model, false));
  if (model.experts) {
    add("expert layer", expert_layers, ParametersOfLayer(model, true));
  }
  add("head", 1, ParametersOfHead(model));
  if (model.mtp_depth > 0) {
    add("mtp layer", model.mtp_depth, ParametersOfMtp(model));
  }

  for (const ParameterGroup& group : result.groups) {
    result.total += group.layers * group.elements();
    result.active += group.layers * group.active_elements();
    for (const ParameterTensor& tensor : group.tensors) {
      if (IsTable(tensor)) result.embedding += tensor.elements();
    }
  }
  return result;
}

int64_t LayerParameters(const ModelSpec& model, int64_t layer) {
  assert(0 <= layer && layer < model.layers);
  ParameterGroup group;
  group.tensors = ParametersOfLayer(model, model.IsExpertLayer(layer));
  return group.elements();
}

}  // namespace models
