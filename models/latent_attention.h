// Sizes of multi-head latent attention in training (DeepSeek-V2,
// arXiv:2405.04434, section 2.1), where keys and values are projected up to
// full heads.
//
//   LatentAttentionParameters(deepseek_v3, 16);  // a rank of eight
//   // down 7168·(1536 + 576), norms 1536 + 512, up 16·(1536·192 + 512·256),
//   // out 16·128·7168: 36.6 M
//
// Tensor-parallel ranks hold whole down-projections and divide the heads of the
// up-projections, as Megatron-Core's MLASelfAttention does.
#ifndef MODELS_LATENT_ATTENTION_H_
#define MODELS_LATENT_ATTENTION_H_

#include <cstdint>

#include "models/model_spec.h"
#include "models/op.h"

namespace models {

// Of a layer's attention on a rank with `heads` heads, the output projection
// included. REQUIRES: model.latent.
int64_t LatentAttentionParameters(const ModelSpec& model, int64_t heads);

// Those of them that every tensor-parallel rank holds: the down-projections and
// the norms behind them. 0 without latent attention.
int64_t ReplicatedLatentParameters(const ModelSpec& model);

// Whether the family's kernels need values as wide as queries and keys, so that
// narrower ones are padded with zeros and the output is cut: FlashAttention 1
// and 2 take one head dimension (their flash_attn_func;
// Dao-AILab/flash-attention pull request 980). FlashAttention 3 (its commit
// 2a20412) and cuDNN on Hopper (9.18 support matrix: d_qk 192, d_vo 128) take
// two.
bool PadsValues(AttentionFamily family);

// The kernel as it multiplies: values as wide as keys where the family pads
// them, and in FlashAttention 3's backward pass (its issue 1487).
Attention AsMultiplied(Attention attention);

}  // namespace models

#endif  // MODELS_LATENT_ATTENTION_H_
