#include "models/latent_attention.h"

#include <algorithm>

namespace models {

int64_t ReplicatedLatentParameters(const ModelSpec& model) {
  if (!model.latent) return 0;
  const LatentAttention& a = *model.latent;
  const int64_t kv = a.kv_lora_rank + a.qk_rope_head_dim;
  int64_t count = model.hidden * (a.q_lora_rank + kv);
  if (model.qkv_bias) count += a.q_lora_rank + kv;
  return count + a.q_lora_rank + a.kv_lora_rank;
}

int64_t LatentAttentionParameters(const ModelSpec& model, int64_t heads) {
  const LatentAttention& a = *model.latent;
  const int64_t query = heads * (a.qk_nope_head_dim + a.qk_rope_head_dim);
  const int64_t query_in = a.q_lora_rank > 0 ? a.q_lora_rank : model.hidden;
  const int64_t up = query_in * query + a.kv_lora_rank * heads *
                                            (a.qk_nope_head_dim + a.v_head_dim);
  const int64_t out = heads * a.v_head_dim * model.hidden +
                      (model.attention_out_bias ? model.hidden : 0);
  return ReplicatedLatentParameters(model) + up + out;
}

bool PadsValues(AttentionFamily family) {
  return family == AttentionFamily::kFlash1 ||
         family == AttentionFamily::kTriton ||
         family == AttentionFamily::kFlash2;
}

Attention AsMultiplied(Attention attention) {
  const bool widens =
      PadsValues(attention.family) ||
      (attention.backward && attention.family == AttentionFamily::kFlash3);
  if (widens) {
    attention.value_head_dim =
        std::max(attention.value_head_dim, attention.head_dim);
  }
  return attention;
}

}  // namespace models
