#include "scenarios/ways_out.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "scenarios/run.h"

namespace scenarios {
namespace {

using models::Split;
using models::TrainingSpec;

// A change in place; the text that --set takes, or nothing if it does not
// apply.
struct Change {
  std::optional<std::string> (*make)(const Inputs& inputs,
                                     TrainingSpec* training);
};

std::optional<std::string> RecomputeSelective(const Inputs&, TrainingSpec* t) {
  if (t->recompute != models::Recompute::kNone) return std::nullopt;
  t->recompute = models::Recompute::kSelective;
  return "training.recompute=SELECTIVE";
}

std::optional<std::string> RecomputeFull(const Inputs&, TrainingSpec* t) {
  if (t->recompute == models::Recompute::kFull && t->recompute_layers == 0) {
    return std::nullopt;
  }
  t->recompute = models::Recompute::kFull;
  t->recompute_layers = 0;
  return "training.recompute=FULL";
}

std::optional<std::string> RaiseZero(TrainingSpec* t, int zero) {
  if (t->split.zero >= zero || t->split.data * t->split.context == 1) {
    return std::nullopt;
  }
  t->split.zero = zero;
  return absl::StrCat("training.parallel.zero=", zero);
}
std::optional<std::string> ZeroOne(const Inputs&, TrainingSpec* t) {
  return RaiseZero(t, 1);
}
std::optional<std::string> ZeroTwo(const Inputs&, TrainingSpec* t) {
  return RaiseZero(t, 2);
}
std::optional<std::string> ZeroThree(const Inputs&, TrainingSpec* t) {
  if (t->split.pipeline > 1 || t->lora.nf4) return std::nullopt;
  return RaiseZero(t, 3);
}

std::optional<std::string> HalveMicroBatch(const Inputs&, TrainingSpec* t) {
  if (t->micro_batch % 2 != 0) return std::nullopt;
  t->micro_batch /= 2;
  return absl::StrCat("training.micro_batch=", t->micro_batch);
}

// QLoRA: frozen weights of linear layers in four bits.
std::optional<std::string> FourBitWeights(const Inputs&, TrainingSpec* t) {
  const bool half = t->precision == models::Precision::kBf16 ||
                    t->precision == models::Precision::kFp16;
  if (!t->lora.on() || t->lora.nf4 || !half || t->split.tensor > 1 ||
      t->split.zero == 3) {
    return std::nullopt;
  }
  t->lora.nf4 = true;
  return "training.lora.base_weights=NF4";
}

// Whether the ranks of a tensor group of that size have like parts of a layer,
// and are on one server.
bool TensorFits(const Inputs& inputs, int64_t tensor) {
  const models::ModelSpec& m = inputs.model;
  const models::LoraSpec& lora = inputs.training.lora;
  return !m.linear_stack && tensor <= inputs.cluster.gpus_per_node &&
         lora.rank % tensor == 0 && !lora.nf4 &&
         m.heads % tensor == 0 &&
         (m.kv_heads % tensor == 0 || tensor % m.kv_heads == 0) &&
         m.ffn_hidden % tensor == 0 &&
         (!inputs.training.split.sequence ||
          inputs.training.sequence_length % tensor == 0);
}

// More tensor-parallel ranks out of the data-parallel ones.
std::optional<std::string> DoubleTensor(const Inputs& inputs, TrainingSpec* t) {
  Split& split = t->split;
  if (split.data % 2 != 0 || !TensorFits(inputs, split.tensor * 2)) {
    return std::nullopt;
  }
  split.tensor *= 2;
  split.data /= 2;
  return absl::StrCat("training.parallel.tensor=", split.tensor,
                      " --set training.parallel.data=", split.data);
}

std::optional<std::string> DoublePipeline(const Inputs& inputs,
                                          TrainingSpec* t) {
  Split& split = t->split;
  const int64_t chunks = split.pipeline * 2 * split.virtual_stages;
  if (split.data % 2 != 0 || split.zero == 3 || !split.chunk_layers.empty() ||
      inputs.model.layers % chunks != 0) {
    return std::nullopt;
  }
  split.pipeline *= 2;
  split.data /= 2;
  return absl::StrCat("training.parallel.pipeline=", split.pipeline,
                      " --set training.parallel.data=", split.data);
}

// ZeRO-Offload's split: state and update on the host, gradients too where they
// are sharded.
std::optional<std::string> OffloadOptimizer(const Inputs& inputs,
                                            TrainingSpec* t) {
  const bool adam = t->optimizer == models::Optimizer::kAdam ||
                    t->optimizer == models::Optimizer::kAdamW;
  if (!inputs.cluster.host || t->offload.updates() || !adam) {
    return std::nullopt;
  }
  t->offload.optimizer = models::OffloadDevice::kCpu;
  std::string change = "training.offload.optimizer=CPU";
  if (t->split.zero >= 2) {
    t->offload.gradients = true;
    change += " --set training.offload.gradients=true";
  }
  return change;
}

// From a host's memory that is too small to its drives.
std::optional<std::string> OffloadToDrives(const Inputs& inputs,
                                           TrainingSpec* t) {
  models::Offload& o = t->offload;
  if (o.optimizer != models::OffloadDevice::kCpu || o.delayed_update ||
      inputs.cluster.host->disks == 0) {
    return std::nullopt;
  }
  o.optimizer = models::OffloadDevice::kNvme;
  o.sub_group_size = std::min<int64_t>(o.sub_group_size, 100'000'000);
  o.pipeline_read = o.pipeline_write = true;
  return absl::StrCat(
      "training.offload.optimizer=NVME --set training.offload.sub_group_size=",
      o.sub_group_size,
      " --set training.offload.pipeline_read=true --set "
      "training.offload.pipeline_write=true");
}

std::optional<std::string> OffloadActivations(const Inputs& inputs,
                                              TrainingSpec* t) {
  if (!inputs.cluster.host || t->offload.activation_layers > 0) {
    return std::nullopt;
  }
  t->offload.activation_layers = inputs.model.layers;
  return absl::StrCat("training.offload.cpu_offloading_num_layers=",
                      inputs.model.layers);
}

// Experts among twice as many ranks.
std::optional<std::string> DoubleExpert(const Inputs& inputs,
                                        TrainingSpec* t) {
  if (!inputs.model.experts) return std::nullopt;
  t->split.expert *= 2;
  return absl::StrCat("training.parallel.expert=", t->split.expert);
}

std::optional<std::string> RecomputeExpertActivation(const Inputs& inputs,
                                                     TrainingSpec* t) {
  if (!inputs.model.experts || t->experts.recompute_activation) {
    return std::nullopt;
  }
  t->experts.recompute_activation = true;
  return "training.experts.recompute_activation=true";
}

// Whether experts divide among the ranks of a changed split.
bool ExpertsFit(const Inputs& inputs) {
  if (!inputs.model.experts) return true;
  const Split& split = inputs.training.split;
  const models::Experts& experts = *inputs.model.experts;
  const int64_t parts = split.parts_of_expert();
  const int64_t groups =
      split.shard_group > 0
          ? split.copies() * split.data * split.context / split.shard_group
                            : 1;
  return experts.count % split.expert == 0 && experts.ffn_hidden % parts == 0 &&
         experts.shared_ffn_hidden % split.tensor == 0 &&
         (split.tensor == 1 || split.sequence) &&
         split.stage_ranks() % (split.expert * parts) == 0 &&
         split.expert_copies() % groups == 0;
}

constexpr Change kChanges[] = {
    {RecomputeSelective}, {RecomputeFull},   {ZeroOne},
    {ZeroTwo},            {ZeroThree},       {HalveMicroBatch},
    {DoubleTensor},       {DoublePipeline},  {FourBitWeights},
    {DoubleExpert},       {RecomputeExpertActivation},
    {OffloadOptimizer},   {OffloadActivations},
    {OffloadToDrives},
};

// The same with two microbatches for each stage, if it has more: what they fill
// the full step fills too, and they are simulated sooner.
Inputs Shortened(Inputs inputs) {
  TrainingSpec& t = inputs.training;
  if (t.split.by_table()) return inputs;
  const int64_t passes = std::min(t.microbatches(), 2 * t.split.pipeline);
  t.global_batch = passes * t.micro_batch * t.split.data;
  return inputs;
}

bool Fits(const Inputs& inputs) {
  const absl::StatusOr<Outcome> outcome = Execute(inputs);
  return outcome.ok() && Fits(inputs, *outcome);
}

void Try(const Inputs& inputs, const std::string& change,
         std::vector<WayOut>* ways) {
  if (!Fits(Shortened(inputs))) return;
  const absl::StatusOr<Outcome> outcome = Execute(inputs);
  if (!outcome.ok() || !Fits(inputs, *outcome)) return;
  sim::Bytes peak;
  for (size_t stage = 0; stage < outcome->memory.size(); ++stage) {
    peak = std::max(peak, PeakOf(*outcome, stage));
  }
  WayOut way;
  way.set_change(change);
  way.set_peak_gib(sim::InGiB(peak));
  way.set_step_seconds(sim::InSeconds(outcome->step));
  ways->push_back(std::move(way));
}

}  // namespace

std::vector<WayOut> WaysOut(const Inputs& inputs) {
  std::vector<WayOut> ways;
  for (const Change& change : kChanges) {
    Inputs changed = inputs;
    const auto text = change.make(inputs, &changed.training);
    if (!text || !ExpertsFit(changed) ||
        !changed.training.split.Schedules(changed.training.microbatches())) {
      continue;
    }
    Try(changed, *text, &ways);
    if (change.make == RecomputeFull || change.make == RecomputeSelective) {
      continue;
    }
    const auto recompute = RecomputeFull(inputs, &changed.training);
    if (recompute)
      Try(changed, absl::StrCat(*text, " --set ", *recompute), &ways);
  }
  std::stable_sort(ways.begin(), ways.end(),
                   [](const WayOut& a, const WayOut& b) {
                     return a.step_seconds() < b.step_seconds();
                   });
  if (ways.size() > 5) ways.resize(5);
  return ways;
}

}  // namespace scenarios
