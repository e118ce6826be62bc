// What a Transformer is: the shape, free of any machine, precision or split.
//
//   ModelSpec m = *LoadModel("llama3-70b");
//   CountParameters(m).total;  // 70,553,706,496 (parameters.h)
//
// To add a model: write models/zoo/<name>.textproto (models/model.proto is the
// reference of the fields); a test holds its parameter count to the published
// one stated in the file. To add a Hugging Face family: one function and one
// table row in models/hugging_face.cc.
#ifndef MODELS_MODEL_SPEC_H_
#define MODELS_MODEL_SPEC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace models {

enum class Norm : uint8_t { kLayerNorm, kRmsNorm };
enum class Positions : uint8_t { kNone, kLearned, kRotary, kAlibi };
enum class Activation : uint8_t { kGelu, kRelu, kSquaredRelu, kSilu };

// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434).
struct LatentAttention {
  int64_t q_lora_rank = 0;  // 0: queries are projected directly
  int64_t kv_lora_rank = 0;
  int64_t qk_nope_head_dim = 0;
  int64_t qk_rope_head_dim = 0;
  int64_t v_head_dim = 0;
  bool operator==(const LatentAttention&) const = default;
};

struct Experts {
  int64_t count = 0;              // routed experts in a layer
  int64_t top_k = 0;              // experts a token visits
  int64_t ffn_hidden = 0;         // of one routed expert
  int64_t shared_ffn_hidden = 0;  // of the always-on expert; 0: none
  bool shared_gate = false;       // sigmoid gate on the shared expert (Qwen2)
  bool router_bias = false;       // correction bias per expert (DeepSeek-V3)
  bool expert_bias = false;       // of the experts' matrices (GPT-OSS)
  std::vector<bool> in_layer;     // which layers are MoE; the rest are dense
  bool operator==(const Experts&) const = default;
};

struct ModelSpec {
  std::string name;
  int64_t layers = 0;
  int64_t hidden = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;  // == heads: MHA; 1: MQA; between: GQA
  int64_t head_dim = 0;
  int64_t ffn_hidden = 0;
  int64_t vocab = 0;          // unpadded rows of the embedding
  int64_t max_positions = 0;  // rows of learned positions (OPT: 2 extra), else
                              // the longest sequence trained for
  bool gated_mlp = false;     // three matrices: up, gate, down
  Activation activation = Activation::kGelu;
  Norm norm = Norm::kLayerNorm;
  bool norm_bias = true;    // LayerNorm's; MPT has none
  int norms_per_layer = 2;  // Phi, Falcon-style: 1; Gemma-2: 4
  bool final_norm = true;
  bool embedding_norm = false;  // BLOOM
  bool qk_norm = false;         // over each head (Qwen3)
  Positions positions = Positions::kRotary;
  double rotary_fraction = 1;      // of head_dim that rotates
  bool parallel_residual = false;  // attention and MLP read the same input
  bool tied_embeddings = false;    // LM head is the embedding's transpose
  bool qkv_bias = false, attention_out_bias = false, mlp_bias = false;
  bool lm_head_bias = false;
  int64_t embedding_dim = 0;   // 0: hidden; OPT-350m: 512, projected in and out
  int64_t sliding_window = 0;  // keys a query sees; 0: all
  std::vector<bool> window_in_layer;  // empty: in all, when sliding_window > 0
  std::optional<Experts> experts;
  std::optional<LatentAttention> latent;
  // Layers behind the last, like it, that each predict one more token in
  // training (multi-token prediction, DeepSeek-V3).
  int64_t mtp_depth = 0;
  // A plain stack of `layers` square linear layers of width `hidden` without
  // biases, then one of `linear_outputs` columns (0: none), and nothing else:
  // heads, vocab, … are 0. For teaching.
  bool linear_stack = false;
  int64_t linear_outputs = 0;

  bool IsExpertLayer(int64_t layer) const {
    return experts && experts->in_layer[static_cast<size_t>(layer)];
  }
  bool operator==(const ModelSpec&) const = default;
};

}  // namespace models

#endif  // MODELS_MODEL_SPEC_H_
