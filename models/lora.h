// Low-rank adaptation (Hu et al. 2021, arXiv:2106.09685): the model's weights
// are frozen, and beside chosen linear layers y = x W run y += (x A) B · s with
// a thin A and B, which alone train.
//
//   LoraSpec lora{.rank = 16};
//   lora.targets = {LoraTarget::kQkv};  // Megatron's linear_qkv
//
// Frozen weights have no gradients, no optimizer state and no FP32 copy, and no
// product makes a gradient for them. Gradients of activations end at the first
// adapter of the model.
#ifndef MODELS_LORA_H_
#define MODELS_LORA_H_

#include <algorithm>
#include <cstdint>
#include <vector>

namespace models {

// Which linear layers get an adapter. Of a fused product, either one adapter
// over all of it or one for each of its parts.
enum class LoraTarget : uint8_t {
  kQkv,          // linear_qkv: queries, keys and values
  kQuery,        // q_proj, linear_q
  kKey,          // k_proj, linear_k
  kValue,        // v_proj, linear_v
  kAttentionOut, // o_proj, linear_proj
  kFc1,          // linear_fc1: up, and gate where there is one
  kGate,         // gate_proj, linear_fc1_gate
  kUp,           // up_proj, linear_fc1_up
  kFc2,          // down_proj, linear_fc2
};

struct LoraSpec {
  int64_t rank = 0;  // 0: no adapters, everything trains
  std::vector<LoraTarget> targets = {};
  double dropout = 0;  // 0..1, of the adapters' branch
  // Dropout acts on the branch's output; false: on its input, of which a second
  // copy is kept then.
  bool dropout_after = false;
  // Beside row-parallel layers under sequence parallelism, outputs change from
  // columns to tokens in one all-to-all; false: an all-gather, and a part is
  // taken (NeMo's a2a_experimental).
  bool all_to_all = false;
  // QLoRA (Dettmers et al. 2023): the frozen products' weights are stored in
  // four bits and made 16-bit before each use.
  bool nf4 = false;
  bool double_quant = true;  // nf4: scales are stored in eight bits

  bool on() const { return rank > 0; }
  bool has(LoraTarget target) const {
    return std::find(targets.begin(), targets.end(), target) != targets.end();
  }
};

}  // namespace models

#endif  // MODELS_LORA_H_
