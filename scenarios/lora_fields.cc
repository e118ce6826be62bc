#include "scenarios/lora_fields.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "models/adapters.h"
#include "models/rank_shape.h"
#include "sim/spelling.h"

namespace scenarios {
namespace {

using models::LoraTarget;

struct NamedTargets {
  absl::string_view name;
  std::vector<LoraTarget> targets;
};

const std::vector<NamedTargets>& Names() {
  static const auto* const kNames = new std::vector<NamedTargets>{
      {"linear_qkv", {LoraTarget::kQkv}},
      {"linear_proj", {LoraTarget::kAttentionOut}},
      {"linear_fc1", {LoraTarget::kFc1}},
      {"linear_fc2", {LoraTarget::kFc2}},
      {"linear_q", {LoraTarget::kQuery}},
      {"linear_k", {LoraTarget::kKey}},
      {"linear_v", {LoraTarget::kValue}},
      {"linear_fc1_gate", {LoraTarget::kGate}},
      {"linear_fc1_up", {LoraTarget::kUp}},
      {"q_proj", {LoraTarget::kQuery}},
      {"k_proj", {LoraTarget::kKey}},
      {"v_proj", {LoraTarget::kValue}},
      {"o_proj", {LoraTarget::kAttentionOut}},
      {"gate_proj", {LoraTarget::kGate}},
      {"up_proj", {LoraTarget::kUp}},
      {"down_proj", {LoraTarget::kFc2}},
      {"all-linear",
       {LoraTarget::kQuery, LoraTarget::kKey, LoraTarget::kValue,
        LoraTarget::kAttentionOut, LoraTarget::kGate, LoraTarget::kUp,
        LoraTarget::kFc2}},
  };
  return *kNames;
}

const NamedTargets* Find(absl::string_view name) {
  for (const NamedTargets& named : Names()) {
    if (named.name == name) return &named;
  }
  return nullptr;
}

// The checks, over one training and the field it stands in.
class Checks {
 public:
  Checks(const proto::Training& training, const Inputs& inputs,
         const sim::TextField& field)
      : given_(training.lora()),
        model_(inputs.model),
        t_(inputs.training),
        field_(field) {}

  absl::Status All() const {
    for (const auto check : {&Checks::Rank, &Checks::Targets, &Checks::Model,
                             &Checks::Recompute, &Checks::FourBits}) {
      const absl::Status status = (this->*check)();
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  template <class... Words>
  absl::Status Error(absl::string_view path, const Words&... words) const {
    return field_.At(path).Error(absl::StrCat(words...));
  }

  absl::Status Rank() const {
    if (!given_.has_rank()) {
      return Error("lora.rank", "is missing; give the adapters' width, e.g. 16");
    }
    const int64_t tensor = t_.split.tensor;
    if (given_.rank() % tensor == 0) return absl::OkStatus();
    return Error("lora.rank", given_.rank(),
                 " is not a multiple of parallel.tensor, ", tensor, "; ",
                 (given_.rank() / tensor + 1) * tensor, " would");
  }

  absl::Status Targets() const {
    for (int i = 0; i < given_.target_modules_size(); ++i) {
      const std::string& name = given_.target_modules(i);
      const std::string path = absl::StrCat("lora.target_modules[", i, "]");
      if (Find(name) == nullptr) {
        std::vector<std::string> names;
        for (const NamedTargets& named : Names()) {
          names.emplace_back(named.name);
        }
        return Error(path, "there is no module \"", name, "\"; ",
                     sim::Suggest(name, names, "modules"));
      }
      const auto& all = given_.target_modules();
      if (std::count(all.begin(), all.begin() + i, name) > 0) {
        return Error(path, "\"", name, "\" is given twice; once works");
      }
      if (name == "gate_proj" || name == "linear_fc1_gate") {
        if (!model_.gated_mlp) {
          return Error(path, "the model's MLP has no gate; \"up_proj\" works");
        }
      }
    }
    const models::LoraSpec& lora = t_.lora;
    const bool parts = lora.has(LoraTarget::kQuery) ||
                       lora.has(LoraTarget::kKey) ||
                       lora.has(LoraTarget::kValue);
    if ((lora.has(LoraTarget::kQkv) && parts) ||
        (lora.has(LoraTarget::kFc1) &&
         (lora.has(LoraTarget::kGate) || lora.has(LoraTarget::kUp)))) {
      return Error("lora.target_modules",
                   "name a fused product and a part of it; one of them works");
    }
    return absl::OkStatus();
  }

  absl::Status Model() const {
    if (model_.linear_stack) {
      return Error("lora", "a linear stack has no modules to adapt; leave it "
                           "out");
    }
    if (model_.latent) {
      return Error("lora",
                   "adapters of latent attention are not modelled; leave it "
                   "out, or take a model with multi-head or grouped attention");
    }
    if (model_.mtp_depth > 0) {
      return Error("lora",
                   "adapters beside multi-token prediction are not modelled; "
                   "leave it out, or set mtp_layers: 0");
    }
    if (model_.experts) {
      return Error("lora",
                   "adapters in a mixture of experts are not modelled; leave "
                   "it out, or take a dense model");
    }
    const int64_t tensor = t_.split.tensor;
    if (model_.hidden % tensor != 0) {
      return Error("lora", "the model's hidden size, ", model_.hidden,
                   ", is not a multiple of parallel.tensor, ", tensor);
    }
    return absl::OkStatus();
  }

  absl::Status Recompute() const {
    if (t_.recompute != models::Recompute::kOperators &&
        t_.recompute != models::Recompute::kDotsExceptMlp) {
      return absl::OkStatus();
    }
    return Error("recompute",
                 models::NameOf(t_.recompute), " with adapters is not modelled; NONE, SELECTIVE and "
                 "FULL work");
  }

  absl::Status FourBits() const {
    if (!t_.lora.nf4) return absl::OkStatus();
    if (t_.precision != models::Precision::kBf16 &&
        t_.precision != models::Precision::kFp16) {
      return Error("lora.base_weights",
                   "NF4 weights are made 16-bit before use; precision BF16 or "
                   "FP16 works");
    }
    if (t_.split.tensor > 1) {
      return Error("lora.base_weights",
                   "bitsandbytes does not divide NF4 weights among "
                   "tensor-parallel ranks; parallel.tensor 1 works");
    }
    if (t_.split.zero == 3) {
      return Error("lora.base_weights",
                   "NF4 weights that are gathered for use (FSDP) are not "
                   "modelled; parallel.zero 0, 1 or 2 works");
    }
    return absl::OkStatus();
  }

  const proto::Lora& given_;
  const models::ModelSpec& model_;
  const models::TrainingSpec& t_;
  const sim::TextField& field_;
};

}  // namespace

models::LoraSpec LoraSpecOf(const proto::Training& training) {
  if (!training.has_lora()) return {};
  const proto::Lora& lora = training.lora();
  models::LoraSpec spec{
      .rank = lora.rank(),
      .dropout = lora.dropout(),
      .dropout_after = lora.dropout_position() == proto::Lora::POST,
      .all_to_all = lora.a2a_experimental(),
      .nf4 = lora.base_weights() == proto::Lora::NF4,
      .double_quant = lora.double_quant()};
  for (const std::string& name : lora.target_modules()) {
    const NamedTargets* named = Find(name);
    if (named == nullptr) continue;
    spec.targets.insert(spec.targets.end(), named->targets.begin(),
                        named->targets.end());
  }
  if (lora.target_modules_size() == 0) {
    spec.targets = {LoraTarget::kQkv, LoraTarget::kAttentionOut,
                    LoraTarget::kFc1, LoraTarget::kFc2};
  }
  return spec;
}

absl::Status CheckLora(const proto::Training& training, const Inputs& inputs,
                       const sim::TextField& field) {
  if (!training.has_lora()) return absl::OkStatus();
  return Checks(training, inputs, field).All();
}

}  // namespace scenarios
