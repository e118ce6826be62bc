#include "scenarios/explain.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "hardware/cluster.pb.h"
#include "models/load_model.h"
#include "models/model.pb.h"
#include "scenarios/layered_text.h"
#include "scenarios/load.h"
#include "scenarios/serving_inputs.h"
#include "sim/data_path.h"

namespace scenarios {
namespace {

constexpr size_t kOriginColumn = 44;

// A preset file and its message, if the scenario names one of the house.
template <class Message>
struct Preset {
  Message message;
  std::optional<sim::TextFile> file;
};

template <class Message>
absl::StatusOr<Preset<Message>> ReadPreset(absl::string_view folder,
                                           const std::string& name) {
  Preset<Message> preset;
  if (name.empty() || absl::StrContains(name, '/')) return preset;
  absl::StatusOr<sim::TextFile> file = sim::TextFile::Load(
      sim::DataPath(absl::StrCat(folder, "/", name, ".textproto")).string(),
      &preset.message);
  if (!file.ok()) return file.status();
  preset.file = *std::move(file);
  return preset;
}

DerivedValue Number(int64_t value, std::string how) {
  return {absl::StrCat(value), std::move(how)};
}

DerivedValues DerivedOf(const Inputs& inputs) {
  const models::ModelSpec& m = inputs.model;
  const models::Split& split = inputs.training.split;
  DerivedValues derived;
  if (!m.linear_stack) {
    derived["model.transformer.kv_heads"] = Number(m.kv_heads, "heads");
    derived["model.transformer.head_dim"] =
        Number(m.head_dim, "hidden / heads");
    derived["model.transformer.ffn_hidden"] =
        Number(m.ffn_hidden, "4 x hidden");
  }
  derived["cluster.nodes"] = Number(inputs.cluster.nodes, "default");
  derived["training.parallel.data"] =
      Number(split.data, "GPUs / (tensor x context x pipeline)");
  derived["training.parallel.schedule"] = {
      absl::StrCat("\"", split.schedule, "\""), "by virtual_stages"};
  return derived;
}

// `model { … }`: the preset's or config's shape with the scenario's changes.
absl::Status PrintModel(const ScenarioFile& s, const DerivedValues& derived,
                        LayeredText& text) {
  const models::Model& model = s.scenario.model();
  const absl::StatusOr<Preset<models::Preset>> preset =
      ReadPreset<models::Preset>("models/zoo", model.preset());
  if (!preset.ok()) return preset.status();
  std::vector<TextLayer> layers = {{&model, &s.file, "model", ""}};
  models::Model from_preset;
  if (preset->file) {
    *from_preset.mutable_transformer() = preset->message.transformer();
    layers.push_back({&from_preset, &*preset->file, "", ""});
  }
  text.Print(*models::Model::descriptor(), "model", layers, derived);
  return absl::OkStatus();
}

absl::Status PrintCluster(const ScenarioFile& s, const DerivedValues& derived,
                          LayeredText& text) {
  const hardware::proto::Cluster& cluster = s.scenario.cluster();
  const absl::StatusOr<Preset<hardware::proto::Cluster>> preset =
      ReadPreset<hardware::proto::Cluster>("hardware/clusters",
                                           cluster.preset());
  if (!preset.ok()) return preset.status();
  std::vector<TextLayer> layers = {{&cluster, &s.file, "cluster", ""}};
  if (preset->file) {
    layers.push_back({&preset->message, &*preset->file, "", ""});
  }
  text.Print(*hardware::proto::Cluster::descriptor(), "cluster", layers,
             derived);
  return absl::OkStatus();
}

// Name, model and cluster: what every scenario begins with.
absl::Status PrintHead(const ScenarioFile& s, const std::string& name,
                       const DerivedValues& derived, LayeredText& text) {
  text.PrintLine(
      absl::StrCat("name: \"", name, "\""),
      s.scenario.has_name() ? ShortOrigin(OriginOf(s, "name")) : "the model");
  const absl::Status model = PrintModel(s, derived, text);
  if (!model.ok()) return model;
  return PrintCluster(s, derived, text);
}

// And may end with.
void PrintEnd(const ScenarioFile& s, const DerivedValues& derived,
              LayeredText& text) {
  if (s.scenario.has_horizon()) {
    text.Print(*proto::Horizon::descriptor(), "horizon",
               {{&s.scenario.horizon(), &s.file, "horizon", ""}}, derived);
  }
  if (s.scenario.has_measured()) {
    text.Print(*proto::Measured::descriptor(), "measured",
               {{&s.scenario.measured(), &s.file, "measured", ""}}, derived);
  }
}

absl::StatusOr<std::string> ExplainServing(const ScenarioFile& s) {
  const absl::StatusOr<ServingInputs> inputs = ServingInputsOf(s);
  if (!inputs.ok()) return inputs.status();
  DerivedValues derived;
  derived["cluster.nodes"] = {"1", "as many as the engines need"};
  LayeredText text(kOriginColumn);
  const absl::Status head = PrintHead(s, inputs->name, derived, text);
  if (!head.ok()) return head;
  text.Print(*proto::Serving::descriptor(), "serving",
             {{&s.scenario.serving(), &s.file, "serving", ""},
              {&s.profile.fields.serving(), &s.profile.file, "serving", ""}},
             derived);
  PrintEnd(s, derived, text);
  return text.text();
}

}  // namespace

absl::StatusOr<std::string> Explain(const ScenarioFile& s) {
  if (s.serves()) return ExplainServing(s);
  const absl::StatusOr<Inputs> inputs = InputsOf(s);
  if (!inputs.ok()) return inputs.status();
  const DerivedValues derived = DerivedOf(*inputs);
  LayeredText text(kOriginColumn);
  const absl::Status head = PrintHead(s, inputs->name, derived, text);
  if (!head.ok()) return head;
  text.Print(*proto::Training::descriptor(), "training",
             {{&s.scenario.training(), &s.file, "training", ""},
              {&s.profile.fields.training(), &s.profile.file, "training", ""}},
             derived);
  PrintEnd(s, derived, text);
  return text.text();
}

}  // namespace scenarios
