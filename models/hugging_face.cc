#include "models/hugging_face.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "models/config_json.h"
#include "models/hugging_face_families.h"
#include "models/transformer_checks.h"
#include "sim/read_text.h"
#include "sim/spelling.h"

namespace models {
namespace {

// By model_type; when the file has none, by the first of `architectures`.
const HuggingFaceFamily* FindFamily(ConfigJson& config) {
  const std::string model_type = config.Text("model_type", "");
  const std::vector<std::string> architectures = config.Texts("architectures");
  for (const HuggingFaceFamily& family : HuggingFaceFamilies()) {
    if (!model_type.empty() ? model_type == family.model_type
                            : !architectures.empty() &&
                                  architectures[0] == family.architecture) {
      return &family;
    }
  }
  const std::vector<std::string> known = HuggingFaceModelTypes();
  config.Fail(
      "model_type",
      model_type.empty()
          ? absl::StrCat("is missing; known model types are ",
                         absl::StrJoin(known, ", "))
          : absl::StrCat("\"", model_type, "\" is not known; ",
                         "known model types are ", absl::StrJoin(known, ", ")));
  return nullptr;
}

}  // namespace

absl::StatusOr<HuggingFaceConfig> ParseHuggingFaceConfig(
    absl::string_view path, absl::string_view text) {
  ConfigJson config(path, text);
  if (!config.status().ok()) return config.status();
  const HuggingFaceFamily* family = FindFamily(config);
  if (family == nullptr) return config.status();
  family->read(config);
  config.transformer().set_tied_embeddings(
      config.Flag("tie_word_embeddings", family->tied_embeddings));
  // The key is torch_dtype up to transformers 4, dtype from 5 on.
  HuggingFaceConfig result;
  result.model_type = family->model_type;
  result.dtype =
      config.Text(config.Lacks("dtype") ? "torch_dtype" : "dtype", "");
  if (!config.status().ok()) return config.status();
  const absl::Status checked =
      CheckFields(config.transformer(),
                  [&](absl::string_view field, absl::string_view problem) {
                    return config.FieldError(field, problem);
                  });
  if (!checked.ok()) return checked;
  result.transformer = config.transformer();
  return result;
}

absl::StatusOr<HuggingFaceConfig> LoadHuggingFaceConfig(
    const std::string& path) {
  const absl::StatusOr<std::string> text = sim::ReadText(path);
  if (!text.ok()) return text.status();
  return ParseHuggingFaceConfig(path, *text);
}

std::vector<std::string> HuggingFaceModelTypes() {
  std::vector<std::string> names;
  for (const HuggingFaceFamily& family : HuggingFaceFamilies()) {
    names.push_back(family.model_type);
  }
  return names;
}

}  // namespace models
