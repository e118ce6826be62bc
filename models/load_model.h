// Loads models: of the zoo by name, from files by path, from scenarios.
//
//   LoadModel("llama3-70b")->layers;  // 80
//   LoadModel("llama3-70");  // llama3-70: no such model; did you mean …
//   LoadModel("hub/config.json");
//
// To add a model to the zoo: write models/zoo/<name>.textproto. Tests hold its
// parameter count to the published one it states.
#ifndef MODELS_LOAD_MODEL_H_
#define MODELS_LOAD_MODEL_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/model.pb.h"
#include "models/model_spec.h"
#include "sim/text_file.h"

namespace models {

// The names in models/zoo, in alphabetical order.
std::vector<std::string> ZooModels();

// A name in the zoo, or the path of a .textproto (message Preset). The preset
// has its name, and its fields have passed CheckFields.
absl::StatusOr<Preset> LoadPreset(absl::string_view name_or_path);

// A name in the zoo, or the path of a .textproto (message Preset) or of a
// Hugging Face .json.
absl::StatusOr<ModelSpec> LoadModel(absl::string_view name_or_path);

// The model a scenario asks for. `field` is where `model` stands in its file;
// paths in `model` start at that file's folder.
absl::StatusOr<ModelSpec> ResolveModel(const Model& model,
                                       const sim::TextField& field);

}  // namespace models

#endif  // MODELS_LOAD_MODEL_H_
