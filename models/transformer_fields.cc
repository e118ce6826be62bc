#include "models/transformer_fields.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "models/model.pb.h"
#include "models/model_spec.h"

namespace models {
namespace {

Activation ActivationOf(const Transformer& t) {
  switch (t.activation()) {
    case Transformer::GELU:
      return Activation::kGelu;
    case Transformer::RELU:
      return Activation::kRelu;
    case Transformer::SQUARED_RELU:
      return Activation::kSquaredRelu;
    case Transformer::SILU:
      return Activation::kSilu;
  }
  return Activation::kGelu;
}

Positions PositionsOf(const Transformer& t) {
  switch (t.positions()) {
    case Transformer::NONE:
      return Positions::kNone;
    case Transformer::LEARNED:
      return Positions::kLearned;
    case Transformer::ROTARY:
      return Positions::kRotary;
    case Transformer::ALIBI:
      return Positions::kAlibi;
  }
  return Positions::kRotary;
}

// REQUIRES: CheckFields passed.
std::vector<bool> WindowInLayer(const Transformer& t) {
  if (t.sliding_window() == 0 ||
      (t.full_attention_every() == 0 && t.full_attention_layers().empty())) {
    return {};
  }
  std::vector<bool> window(static_cast<size_t>(t.layers()), true);
  if (const int64_t every = t.full_attention_every(); every > 0) {
    for (int64_t layer = every - 1; layer < t.layers(); layer += every) {
      window[static_cast<size_t>(layer)] = false;
    }
  }
  for (const int64_t layer : t.full_attention_layers()) {
    window[static_cast<size_t>(layer)] = false;
  }
  return window;
}

// REQUIRES: CheckFields passed.
Experts ExpertsOf(const Transformer& t) {
  const Transformer::Experts& message = t.experts();
  Experts experts;
  experts.count = message.count();
  experts.top_k = message.top_k();
  experts.ffn_hidden = message.ffn_hidden();
  experts.shared_ffn_hidden = message.shared_ffn_hidden();
  experts.shared_gate = message.shared_gate();
  experts.router_bias = message.router_bias();
  experts.expert_bias = message.expert_bias();
  for (int64_t layer = 0; layer < t.layers(); ++layer) {
    experts.in_layer.push_back(layer >= message.first_dense_layers() &&
                               (layer + 1) % message.every() == 0);
  }
  for (const int64_t layer : message.dense_layers()) {
    experts.in_layer[static_cast<size_t>(layer)] = false;
  }
  return experts;
}

LatentAttention LatentOf(const Transformer& t) {
  const Transformer::LatentAttention& message = t.latent();
  LatentAttention latent;
  latent.q_lora_rank = message.q_lora_rank();
  latent.kv_lora_rank = message.kv_lora_rank();
  latent.qk_nope_head_dim = message.qk_nope_head_dim();
  latent.qk_rope_head_dim = message.qk_rope_head_dim();
  latent.v_head_dim = message.v_head_dim();
  return latent;
}

void FillAttention(const Transformer& t, ModelSpec& model) {
  model.heads = t.heads();
  model.kv_heads = t.has_kv_heads() ? t.kv_heads() : t.heads();
  if (t.has_latent()) {
    model.latent = LatentOf(t);
    model.head_dim =
        model.latent->qk_nope_head_dim + model.latent->qk_rope_head_dim;
  } else {
    model.head_dim = t.has_head_dim() ? t.head_dim() : t.hidden() / t.heads();
  }
  model.qk_norm = t.qk_norm();
  model.positions = PositionsOf(t);
  model.rotary_fraction = t.rotary_fraction();
  model.qkv_bias = t.qkv_bias();
  model.attention_out_bias = t.attention_out_bias();
  model.sliding_window = t.sliding_window();
  model.window_in_layer = WindowInLayer(t);
}

}  // namespace

ModelSpec ModelSpecOf(const Transformer& t, absl::string_view name) {
  ModelSpec model;
  model.name = std::string(name);
  model.layers = t.layers();
  model.hidden = t.hidden();
  model.vocab = t.vocab();
  model.max_positions = t.max_positions();
  FillAttention(t, model);
  model.ffn_hidden = t.has_ffn_hidden() ? t.ffn_hidden() : 4 * t.hidden();
  model.gated_mlp = t.gated_mlp();
  model.activation = ActivationOf(t);
  model.mlp_bias = t.mlp_bias();
  if (t.has_experts()) model.experts = ExpertsOf(t);
  model.norm =
      t.norm() == Transformer::RMS_NORM ? Norm::kRmsNorm : Norm::kLayerNorm;
  model.norm_bias = t.norm_bias() && model.norm == Norm::kLayerNorm;
  model.norms_per_layer = t.norms_per_layer();
  model.final_norm = t.final_norm();
  model.embedding_norm = t.embedding_norm();
  model.parallel_residual = t.parallel_residual();
  model.tied_embeddings = t.tied_embeddings();
  model.embedding_dim = t.embedding_dim();
  model.lm_head_bias = t.lm_head_bias();
  model.mtp_depth = t.mtp_layers();
  return model;
}

ModelSpec ModelSpecOf(const LinearStack& stack, absl::string_view name) {
  ModelSpec model;
  model.name = std::string(name);
  model.linear_stack = true;
  model.layers = stack.layers();
  model.hidden = stack.width();
  model.linear_outputs = stack.outputs();
  return model;
}

}  // namespace models
