#include "models/kv_cache.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "models/model_spec.h"
#include "models/op.h"
#include "sim/units.h"

namespace models {

int64_t KvElementsPerLayer(const ModelSpec& model) {
  return model.latent
             ? model.latent->kv_lora_rank + model.latent->qk_rope_head_dim
             : 2 * model.kv_heads * model.head_dim;
}

sim::Bytes KvBytesPerToken(const ModelSpec& model, DType dtype) {
  return BytesOf(dtype, model.layers * KvElementsPerLayer(model));
}

int64_t VisibleKeys(const ModelSpec& model, int64_t layer, int64_t tokens) {
  const bool window = model.sliding_window > 0 &&
                      (model.window_in_layer.empty() ||
                       model.window_in_layer[static_cast<size_t>(layer)]);
  return window ? std::min(tokens, model.sliding_window) : tokens;
}

sim::Bytes KvBytes(const ModelSpec& model, DType dtype, int64_t sequences,
                   int64_t tokens) {
  int64_t kept = 0;  // token-layers of one sequence
  for (int64_t layer = 0; layer < model.layers; ++layer) {
    kept += VisibleKeys(model, layer, tokens);
  }
  return BytesOf(dtype, sequences * kept * KvElementsPerLayer(model));
}

}  // namespace models
