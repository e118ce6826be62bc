// From the fields of a `Transformer` message to a ModelSpec, with the defaults
// that depend on other fields filled in.
//
//   Transformer llama;  // layers: 80 hidden: 8192 heads: 64 kv_heads: 8 …
//   ModelSpecOf(llama, "llama2-70b").head_dim;  // 8192 / 64 = 128
//
// To add a field: declare it in model.proto, give its range a row in
// transformer_checks.cc, and copy it in transformer_fields.cc.
#ifndef MODELS_TRANSFORMER_FIELDS_H_
#define MODELS_TRANSFORMER_FIELDS_H_

#include "absl/strings/string_view.h"
#include "models/model.pb.h"
#include "models/model_spec.h"

namespace models {

// REQUIRES: CheckFields(transformer, …) passed (transformer_checks.h).
ModelSpec ModelSpecOf(const Transformer& transformer, absl::string_view name);
// REQUIRES: CheckFields(stack, …) passed.
ModelSpec ModelSpecOf(const LinearStack& stack, absl::string_view name);

}  // namespace models

#endif  // MODELS_TRANSFORMER_FIELDS_H_
