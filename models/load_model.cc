#include "models/load_model.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "models/hugging_face.h"
#include "models/model.pb.h"
#include "models/model_spec.h"
#include "models/transformer_checks.h"
#include "models/transformer_fields.h"
#include "sim/data_path.h"
#include "sim/spelling.h"
#include "sim/text_file.h"

namespace models {
namespace {

constexpr char kPresetSuffix[] = ".textproto";

bool IsPath(absl::string_view name_or_path) {
  return absl::StrContains(name_or_path, '/') ||
         absl::EndsWith(name_or_path, kPresetSuffix) ||
         absl::EndsWith(name_or_path, ".json");
}

bool InZoo(absl::string_view name) {
  const std::vector<std::string> names = ZooModels();
  return std::binary_search(names.begin(), names.end(), std::string(name));
}

// `there is no model "llama3-70"; did you mean "llama3-70b"?`
std::string UnknownName(absl::string_view name) {
  return absl::StrCat("there is no model \"", name, "\" in the zoo; ",
                      sim::Suggest(name, ZooModels(), "models"));
}

// Checks a message whose fields stand below `field`.
template <class Message>
absl::Status CheckAt(const Message& message, const sim::TextField& field) {
  return CheckFields(message,
                     [&](absl::string_view name, absl::string_view problem) {
                       return field.At(name).Error(problem);
                     });
}

absl::StatusOr<Preset> LoadPresetFile(const std::string& path) {
  Preset preset;
  const absl::StatusOr<sim::TextFile> file = sim::TextFile::Load(path, &preset);
  if (!file.ok()) return file.status();
  if (preset.has_transformer() == preset.has_linear_stack()) {
    return file->Error("", "give either transformer or linear_stack");
  }
  const absl::Status checked =
      preset.has_linear_stack()
          ? CheckAt(preset.linear_stack(), file->At("linear_stack"))
          : CheckAt(preset.transformer(), file->At("transformer"));
  if (!checked.ok()) return checked;
  if (!preset.has_name()) {
    preset.set_name(std::filesystem::path(path).stem().string());
  }
  return preset;
}

ModelSpec ModelSpecOf(const Preset& preset) {
  return preset.has_linear_stack()
             ? ModelSpecOf(preset.linear_stack(), preset.name())
             : ModelSpecOf(preset.transformer(), preset.name());
}

// A path given in `field`, from the folder of the file that gave it. Paths of
// a --set start at the working directory.
std::string PathFrom(const sim::TextField& field, const std::string& path) {
  const std::string origin = field.Origin();  // "folder/a.textproto:7"
  const size_t colon = origin.rfind(':');
  if (colon == std::string::npos) return path;
  const std::filesystem::path file = origin.substr(0, colon);
  return (file.parent_path() / path).string();
}

// What stands before the fields of a scenario's `transformer` change it.
absl::StatusOr<Preset> LoadBase(const Model& model,
                                const sim::TextField& field) {
  Preset base;
  if (model.has_hf_config()) {
    base.set_name(PathFrom(field.At("hf_config"), model.hf_config()));
    absl::StatusOr<HuggingFaceConfig> config =
        LoadHuggingFaceConfig(base.name());
    if (!config.ok()) return config.status();
    *base.mutable_transformer() = std::move(config->transformer);
    return base;
  }
  if (!model.has_preset()) {
    base.set_name("transformer");
    return base;
  }
  if (IsPath(model.preset())) {
    return LoadPreset(PathFrom(field.At("preset"), model.preset()));
  }
  if (!InZoo(model.preset())) {
    return field.At("preset").Error(UnknownName(model.preset()));
  }
  return LoadPreset(model.preset());
}

// Scalars replace, messages merge, a list that is given replaces.
void Merge(const Transformer& changes, Transformer& transformer) {
  if (!changes.full_attention_layers().empty()) {
    transformer.clear_full_attention_layers();
  }
  if (!changes.experts().dense_layers().empty()) {
    transformer.mutable_experts()->clear_dense_layers();
  }
  transformer.MergeFrom(changes);
}

absl::Status CheckChoice(const Model& model, const sim::TextField& field) {
  const bool shaped =
      model.has_preset() || model.has_hf_config() || model.has_transformer();
  if (!shaped && !model.has_linear_stack()) {
    return field.Error(
        "is missing; give preset, hf_config, transformer or linear_stack");
  }
  if (shaped && model.has_linear_stack()) {
    return field.At("linear_stack")
        .Error("cannot stand beside preset, hf_config or transformer");
  }
  if (model.has_preset() && model.has_hf_config()) {
    return field.At("hf_config").Error("cannot stand beside preset");
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> ZooModels() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(
           sim::DataPath("models/zoo"), error)) {
    if (entry.path().extension() == kPresetSuffix) {
      names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<Preset> LoadPreset(absl::string_view name_or_path) {
  if (IsPath(name_or_path)) return LoadPresetFile(std::string(name_or_path));
  if (!InZoo(name_or_path)) {
    return absl::InvalidArgumentError(UnknownName(name_or_path));
  }
  const std::string relative =
      absl::StrCat("models/zoo/", name_or_path, kPresetSuffix);
  return LoadPresetFile(sim::DataPath(relative).string());
}

absl::StatusOr<ModelSpec> LoadModel(absl::string_view name_or_path) {
  if (absl::EndsWith(name_or_path, ".json")) {
    const std::string path(name_or_path);
    const absl::StatusOr<HuggingFaceConfig> config =
        LoadHuggingFaceConfig(path);
    if (!config.ok()) return config.status();
    return ModelSpecOf(config->transformer, path);
  }
  const absl::StatusOr<Preset> preset = LoadPreset(name_or_path);
  if (!preset.ok()) return preset.status();
  return ModelSpecOf(*preset);
}

absl::StatusOr<ModelSpec> ResolveModel(const Model& model,
                                       const sim::TextField& field) {
  if (absl::Status s = CheckChoice(model, field); !s.ok()) return s;
  if (model.has_linear_stack()) {
    const absl::Status checked =
        CheckAt(model.linear_stack(), field.At("linear_stack"));
    if (!checked.ok()) return checked;
    return ModelSpecOf(model.linear_stack(), "linear stack");
  }
  absl::StatusOr<Preset> base = LoadBase(model, field);
  if (!base.ok()) return base.status();
  if (!model.has_transformer()) return ModelSpecOf(*base);
  if (base->has_linear_stack()) {
    return field.At("transformer")
        .Error(absl::StrCat("cannot change \"", base->name(),
                            "\", which is a linear stack"));
  }
  const bool based = model.has_preset() || model.has_hf_config();
  std::optional<ModelSpec> before;
  if (based) before = ModelSpecOf(*base);
  Merge(model.transformer(), *base->mutable_transformer());
  const absl::Status checked =
      CheckAt(base->transformer(), field.At("transformer"));
  if (!checked.ok()) return checked;
  ModelSpec spec = ModelSpecOf(base->transformer(), base->name());
  if (before && spec != *before) spec.name += ", changed";
  return spec;
}

}  // namespace models
