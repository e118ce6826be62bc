// Whether the fields of a `Transformer` message make a model.
//
//   Transformer t;  // layers: 2 hidden: 4096 heads: 7 vocab: 32000
//   CheckFields(t, error);  // heads: 7 does not divide hidden, 4096; or set …
//
// To add a field with a range: a row of a table in transformer_checks.cc.
#ifndef MODELS_TRANSFORMER_CHECKS_H_
#define MODELS_TRANSFORMER_CHECKS_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "models/model.pb.h"

namespace models {

// Makes the error for a field, which is named by its path in the message
// ("experts.top_k"), and the problem with it.
using FieldError = absl::FunctionRef<absl::Status(absl::string_view field,
                                                  absl::string_view problem)>;

// Fails at the first field that is required and missing, is out of range, or
// does not fit another.
absl::Status CheckFields(const Transformer& transformer, FieldError error);
absl::Status CheckFields(const LinearStack& stack, FieldError error);

}  // namespace models

#endif  // MODELS_TRANSFORMER_CHECKS_H_
