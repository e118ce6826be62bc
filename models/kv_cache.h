// What a token leaves in the key-value cache.
//
//   KvBytesPerToken(llama2_70b, DType::kFp16);  // 2·80·8·128·2 = 327,680
#ifndef MODELS_KV_CACHE_H_
#define MODELS_KV_CACHE_H_

#include <cstdint>

#include "models/model_spec.h"
#include "models/op.h"
#include "sim/units.h"

namespace models {

// Elements one token leaves in one layer: key and value of every KV head; under
// latent attention the compressed pair and the rotary key that all heads share.
int64_t KvElementsPerLayer(const ModelSpec& model);

// In all layers, sliding windows left out of account.
sim::Bytes KvBytesPerToken(const ModelSpec& model, DType dtype);

// Of `sequences` sequences of `tokens` tokens; a layer with a sliding window
// keeps only the last of them.
sim::Bytes KvBytes(const ModelSpec& model, DType dtype, int64_t sequences,
                   int64_t tokens);

// Keys that the last of `tokens` queries sees in a layer.
int64_t VisibleKeys(const ModelSpec& model, int64_t layer, int64_t tokens);

}  // namespace models

#endif  // MODELS_KV_CACHE_H_
