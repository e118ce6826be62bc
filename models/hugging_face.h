// Reads a Hugging Face config.json.
//
//   ParseHuggingFaceConfig("config.json", R"({"model_type": "llama", …})")
//       ->transformer.layers();  // num_hidden_layers
//
// What the file leaves out is the default of the family's class in
// transformers; a null counts as left out. A family that is not listed is
// refused.
//
// To add a family: a function in hugging_face_families.cc that copies its keys,
// and a row in the table there.
#ifndef MODELS_HUGGING_FACE_H_
#define MODELS_HUGGING_FACE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/model.pb.h"

namespace models {

struct HuggingFaceConfig {
  std::string model_type;  // "llama"
  Transformer transformer;
  std::string dtype;  // "bfloat16"; empty when the file does not say
};

// `path` is what errors call the file. The transformer has passed CheckFields.
// Fails, with the place in the text, on bad JSON, a missing key, a value of the
// wrong kind, an unknown model_type and a shape that does not fit together.
absl::StatusOr<HuggingFaceConfig> ParseHuggingFaceConfig(
    absl::string_view path, absl::string_view text);
absl::StatusOr<HuggingFaceConfig> LoadHuggingFaceConfig(
    const std::string& path);

// Every model_type that can be read, in alphabetical order.
std::vector<std::string> HuggingFaceModelTypes();

}  // namespace models

#endif  // MODELS_HUGGING_FACE_H_
