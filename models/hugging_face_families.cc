#include "models/hugging_face_families.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/config_json.h"
#include "models/model.pb.h"

namespace models {
namespace {

void ReadActivation(ConfigJson& config, const char* key, const char* fallback) {
  const std::string name = config.Text(key, fallback);
  Transformer& t = config.transformer();
  if (name == "silu" || name == "swish") {
    t.set_activation(Transformer::SILU);
  } else if (name == "relu") {
    t.set_activation(Transformer::RELU);
  } else if (name == "relu2") {
    t.set_activation(Transformer::SQUARED_RELU);
  } else if (name == "gelu" || name == "gelu_new" || name == "gelu_fast" ||
             name == "gelu_pytorch_tanh") {
    t.set_activation(Transformer::GELU);
  } else {
    config.Fail(key, absl::StrCat("\"", name,
                                  "\" is not known; known are gelu, gelu_new, "
                                  "gelu_fast, gelu_pytorch_tanh, relu, relu2, "
                                  "silu and swish"));
  }
}

// The keys nearly every family shares.
void ReadSizes(ConfigJson& config) {
  config.Copy("num_hidden_layers", "layers");
  config.Copy("hidden_size", "hidden");
  config.Copy("num_attention_heads", "heads");
  config.Copy("vocab_size", "vocab");
  config.CopyIfThere("max_position_embeddings", "max_positions");
}

// RMSNorm, rotary positions and a gated MLP.
void ReadGatedRmsNorm(ConfigJson& config, const char* activation) {
  ReadSizes(config);
  config.Copy("intermediate_size", "ffn_hidden");
  ReadActivation(config, "hidden_act", activation);
  config.transformer().set_gated_mlp(true);
  config.transformer().set_norm(Transformer::RMS_NORM);
}

void ReadAttentionBias(ConfigJson& config) {
  const bool bias = config.Flag("attention_bias", false);
  config.transformer().set_qkv_bias(bias);
  config.transformer().set_attention_out_bias(bias);
}

// For lists of layers: CheckFields refuses models with more.
int64_t LayersToList(ConfigJson& config) {
  return std::min<int64_t>(config.transformer().layers(), 1 << 14);
}

// The share of a head that rotates is beside the other keys up to transformers
// 4, in rope_parameters from 5 on.
void ReadRotaryFraction(ConfigJson& config, const char* key, double fallback) {
  config.transformer().set_rotary_fraction(config.Number(
      key, config.Number("rope_parameters.partial_rotary_factor", fallback)));
}

// `layer_types` spells out which layers have the window; false if absent.
bool ReadLayerTypes(ConfigJson& config) {
  if (config.Lacks("layer_types")) return false;
  const std::vector<std::string> types = config.Texts("layer_types");
  for (size_t layer = 0; layer < types.size(); ++layer) {
    if (types[layer] == "full_attention") {
      config.transformer().add_full_attention_layers(
          static_cast<int64_t>(layer));
    } else if (types[layer] != "sliding_attention") {
      config.Fail("layer_types",
                  absl::StrCat("\"", types[layer],
                               "\" is not known; known are full_attention and "
                               "sliding_attention"));
    }
  }
  return true;
}

// Qwen: the window is off unless asked for, and then in the layers from
// max_window_layers on.
void ReadQwenWindow(ConfigJson& config) {
  if (!config.Flag("use_sliding_window", false)) return;
  config.Copy("sliding_window", "sliding_window", 4096);
  if (ReadLayerTypes(config)) return;
  const int64_t full = config.Integer("max_window_layers", 28);
  for (int64_t i = 0; i < std::min(full, LayersToList(config)); ++i) {
    config.transformer().add_full_attention_layers(i);
  }
}

void ReadLlama(ConfigJson& config) {
  ReadGatedRmsNorm(config, "silu");
  config.CopyIfThere("num_key_value_heads", "kv_heads");
  config.CopyIfThere("head_dim", "head_dim");
  ReadAttentionBias(config);
  config.transformer().set_mlp_bias(config.Flag("mlp_bias", false));
}

void ReadMistral(ConfigJson& config) {
  ReadGatedRmsNorm(config, "silu");
  config.Copy("num_key_value_heads", "kv_heads", 8);
  config.CopyIfThere("head_dim", "head_dim");
  if (!config.IsNull("sliding_window")) {
    config.Copy("sliding_window", "sliding_window", 4096);
  }
}

void ReadMixtral(ConfigJson& config) {
  ReadGatedRmsNorm(config, "silu");
  config.Copy("num_key_value_heads", "kv_heads", 8);
  config.CopyIfThere("head_dim", "head_dim");
  config.CopyIfThere("sliding_window", "sliding_window");
  config.Copy("num_local_experts", "experts.count", 8);
  config.Copy("num_experts_per_tok", "experts.top_k", 2);
  config.Copy("intermediate_size", "experts.ffn_hidden");
}

void ReadQwen2(ConfigJson& config) {
  ReadGatedRmsNorm(config, "silu");
  config.Copy("num_key_value_heads", "kv_heads", 32);
  config.CopyIfThere("head_dim", "head_dim");
  config.transformer().set_qkv_bias(true);  // the class has no key for it
  ReadQwenWindow(config);
}

void ReadQwen3(ConfigJson& config) {
  ReadGatedRmsNorm(config, "silu");
  config.Copy("num_key_value_heads", "kv_heads", 32);
  config.Copy("head_dim", "head_dim", 128);
  config.transformer().set_qk_norm(true);
  ReadAttentionBias(config);
  ReadQwenWindow(config);
}

void ReadQwen3Moe(ConfigJson& config) {
  ReadGatedRmsNorm(config, "silu");
  config.Copy("num_key_value_heads", "kv_heads", 4);
  config.CopyIfThere("head_dim", "head_dim");
  config.transformer().set_qk_norm(true);
  ReadAttentionBias(config);
  ReadQwenWindow(config);
  config.Copy("num_experts", "experts.count", 128);
  config.Copy("num_experts_per_tok", "experts.top_k", 8);
  config.Copy("moe_intermediate_size", "experts.ffn_hidden", 768);
  config.Copy("decoder_sparse_step", "experts.every", 1);
  for (const int64_t layer : config.Integers("mlp_only_layers")) {
    config.transformer().mutable_experts()->add_dense_layers(layer);
  }
}

void ReadGpt2(ConfigJson& config) {
  config.Copy("n_layer", "layers");
  config.Copy("n_embd", "hidden");
  config.Copy("n_head", "heads");
  config.CopyIfThere("n_inner", "ffn_hidden");
  config.Copy("vocab_size", "vocab");
  config.Copy("n_positions", "max_positions", 1024);
  ReadActivation(config, "activation_function", "gelu_new");
  Transformer& t = config.transformer();
  t.set_positions(Transformer::LEARNED);
  t.set_qkv_bias(true);
  t.set_attention_out_bias(true);
  t.set_mlp_bias(true);
}

void ReadGptNeoX(ConfigJson& config) {
  ReadSizes(config);
  config.Copy("intermediate_size", "ffn_hidden");
  ReadActivation(config, "hidden_act", "gelu");
  Transformer& t = config.transformer();
  ReadRotaryFraction(config, "rotary_pct", 0.25);
  t.set_parallel_residual(config.Flag("use_parallel_residual", true));
  const bool bias = config.Flag("attention_bias", true);
  t.set_qkv_bias(bias);
  t.set_attention_out_bias(bias);
  t.set_mlp_bias(true);
}

void ReadOpt(ConfigJson& config) {
  ReadSizes(config);
  config.Copy("ffn_dim", "ffn_hidden");
  config.CopyIfThere("word_embed_proj_dim", "embedding_dim");
  ReadActivation(config, "activation_function", "relu");
  Transformer& t = config.transformer();
  t.set_positions(Transformer::LEARNED);
  // The table starts with two rows that no token uses.
  t.set_max_positions(t.max_positions() + 2);
  const bool bias = config.Flag("enable_bias", true);
  t.set_qkv_bias(bias);
  t.set_attention_out_bias(bias);
  t.set_mlp_bias(bias);
  t.set_final_norm(config.Flag("do_layer_norm_before", true) &&
                   !config.Flag("_remove_final_layer_norm", false));
}

void ReadPhi(ConfigJson& config) {
  ReadSizes(config);
  config.CopyIfThere("num_key_value_heads", "kv_heads");
  config.Copy("intermediate_size", "ffn_hidden");
  ReadActivation(config, "hidden_act", "gelu_new");
  Transformer& t = config.transformer();
  ReadRotaryFraction(config, "partial_rotary_factor", 0.5);
  t.set_parallel_residual(true);
  t.set_norms_per_layer(1);
  t.set_qkv_bias(true);
  t.set_attention_out_bias(true);
  t.set_mlp_bias(true);
  t.set_lm_head_bias(true);
  if (config.Flag("qk_layernorm", false)) {
    config.Fail("qk_layernorm",
                "true is not modelled; released models have "
                "false");
  }
}

void ReadPhi3(ConfigJson& config) {
  ReadGatedRmsNorm(config, "silu");
  config.CopyIfThere("num_key_value_heads", "kv_heads");
  config.CopyIfThere("sliding_window", "sliding_window");
  ReadRotaryFraction(config, "partial_rotary_factor", 1);
}

// hidden_activation, where present, takes the place of hidden_act.
void ReadAnyGemma(ConfigJson& config, int64_t kv_heads) {
  ReadGatedRmsNorm(config, "gelu_pytorch_tanh");
  if (!config.Lacks("hidden_activation")) {
    ReadActivation(config, "hidden_activation", "");
  }
  config.Copy("num_key_value_heads", "kv_heads", kv_heads);
  config.Copy("head_dim", "head_dim", 256);
  ReadAttentionBias(config);
}

void ReadGemma(ConfigJson& config) { ReadAnyGemma(config, 16); }

void ReadGemma2(ConfigJson& config) {
  ReadAnyGemma(config, 4);
  config.transformer().set_norms_per_layer(4);
  config.Copy("sliding_window", "sliding_window", 4096);
  if (!ReadLayerTypes(config)) {
    config.transformer().set_full_attention_every(2);
  }
}

void ReadLatent(ConfigJson& config) {
  if (!config.IsNull("q_lora_rank")) {
    config.Copy("q_lora_rank", "latent.q_lora_rank", 1536);
  }
  config.Copy("kv_lora_rank", "latent.kv_lora_rank", 512);
  config.Copy("qk_nope_head_dim", "latent.qk_nope_head_dim", 128);
  config.Copy("qk_rope_head_dim", "latent.qk_rope_head_dim", 64);
  config.Copy("v_head_dim", "latent.v_head_dim", 128);
}

void ReadDeepSeekExperts(ConfigJson& config) {
  config.Copy("n_routed_experts", "experts.count");
  config.Copy("num_experts_per_tok", "experts.top_k");
  config.Copy("moe_intermediate_size", "experts.ffn_hidden");
  config.Copy("first_k_dense_replace", "experts.first_dense_layers", 0);
  auto& experts = *config.transformer().mutable_experts();
  experts.set_shared_ffn_hidden(config.Integer("n_shared_experts", 0) *
                                experts.ffn_hidden());
  const int64_t every = config.Integer("moe_layer_freq", 1);
  if (every < 1) return config.Fail("moe_layer_freq", "give 1 or more");
  for (int64_t i = 0; i < LayersToList(config); ++i) {
    if (i % every != 0) experts.add_dense_layers(i);
  }
}

void ReadDeepSeekV2(ConfigJson& config) {
  ReadGatedRmsNorm(config, "silu");
  ReadAttentionBias(config);
  ReadLatent(config);
  // Without routed experts every layer is dense.
  if (!config.Lacks("n_routed_experts")) ReadDeepSeekExperts(config);
}

void ReadDeepSeekV3(ConfigJson& config) {
  ReadDeepSeekV2(config);
  if (config.transformer().has_experts()) {
    config.transformer().mutable_experts()->set_router_bias(true);
  }
}

constexpr HuggingFaceFamily kFamilies[] = {
    {"deepseek_v2", "DeepseekV2ForCausalLM", false, ReadDeepSeekV2},
    {"deepseek_v3", "DeepseekV3ForCausalLM", false, ReadDeepSeekV3},
    {"gemma", "GemmaForCausalLM", true, ReadGemma},
    {"gemma2", "Gemma2ForCausalLM", true, ReadGemma2},
    {"gpt2", "GPT2LMHeadModel", true, ReadGpt2},
    {"gpt_neox", "GPTNeoXForCausalLM", false, ReadGptNeoX},
    {"llama", "LlamaForCausalLM", false, ReadLlama},
    {"mistral", "MistralForCausalLM", false, ReadMistral},
    {"mixtral", "MixtralForCausalLM", false, ReadMixtral},
    {"opt", "OPTForCausalLM", true, ReadOpt},
    {"phi", "PhiForCausalLM", false, ReadPhi},
    {"phi3", "Phi3ForCausalLM", false, ReadPhi3},
    {"qwen2", "Qwen2ForCausalLM", false, ReadQwen2},
    {"qwen3", "Qwen3ForCausalLM", false, ReadQwen3},
    {"qwen3_moe", "Qwen3MoeForCausalLM", false, ReadQwen3Moe},
};

}  // namespace

std::span<const HuggingFaceFamily> HuggingFaceFamilies() { return kFamilies; }

}  // namespace models
