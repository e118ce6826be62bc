// Whether the settings of experts fit the model, the rest of the split and the
// cluster.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/op.h"
#include "models/rank_shape.h"
#include "models/training.h"
#include "scenarios/expert_fields.h"

namespace scenarios {
namespace {

using models::ModelSpec;
using models::Split;
using models::TrainingSpec;

// "1, 2, 4 or 8": the numbers that divide `of`.
std::string Divisors(int64_t of) {
  std::vector<std::string> names;
  for (int64_t n = 1; n <= of; ++n) {
    if (of % n == 0) names.push_back(absl::StrCat(n));
  }
  const std::string last = names.back();
  names.pop_back();
  if (names.empty()) return last;
  return absl::StrCat(absl::StrJoin(names, ", "), " or ", last);
}

class Checks {
 public:
  Checks(const Inputs& inputs, const sim::TextField& field)
      : model_(inputs.model),
        cluster_(inputs.cluster),
        cost_(inputs.cost),
        t_(inputs.training),
        field_(field) {}

  absl::Status All() const {
    if (!model_.experts) return NoExperts();
    for (const auto check :
         {&Checks::Divided, &Checks::Columns, &Checks::Ranks, &Checks::Tensor,
          &Checks::Shards, &Checks::Capacity, &Checks::Load,
          &Checks::Dispatcher, &Checks::Recomputed, &Checks::Gpu}) {
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

  absl::Status NoExperts() const {
    for (const absl::string_view name : {"expert", "expert_tensor"}) {
      const bool tensor = name == "expert_tensor";
      const int64_t ranks = tensor ? t_.split.expert_tensor : t_.split.expert;
      if (ranks <= 1) continue;
      return Error(absl::StrCat("parallel.", name), model_.name,
                   " has no experts to divide; 1 works");
    }
    return absl::OkStatus();
  }

  absl::Status Divided() const {
    const int64_t count = model_.experts->count;
    if (count % t_.split.expert == 0) return absl::OkStatus();
    return Error("parallel.expert", t_.split.expert,
                 " does not divide the model's ", count, " experts; ",
                 Divisors(count), " would");
  }

  absl::Status Columns() const {
    const Split& s = t_.split;
    const int64_t parts = s.parts_of_expert();
    const int64_t ffn = model_.experts->ffn_hidden;
    const int64_t shared = model_.experts->shared_ffn_hidden;
    if (ffn % parts != 0) {
      return Error("parallel.expert_tensor", parts,
                   " does not divide the experts' ffn_hidden, ", ffn,
                   "; 1 would");
    }
    if (shared % s.tensor != 0) {
      return Error("parallel.tensor", s.tensor,
                   " does not divide the shared expert's ffn_hidden, ", shared,
                   "; 1 would");
    }
    return absl::OkStatus();
  }

  absl::Status Ranks() const {
    const Split& s = t_.split;
    const int64_t parts = s.parts_of_expert();
    if (s.stage_ranks() % (s.expert * parts) == 0) return absl::OkStatus();
    const std::string why = absl::StrCat(
        "expert ", s.expert, " x expert_tensor ", parts, " = ",
        s.expert * parts, " does not divide the ", s.stage_ranks(),
        " GPUs of a stage");
    if (s.stage_ranks() % parts != 0) {
      return Error("parallel.expert_tensor", why, "; ",
                   Divisors(s.stage_ranks()), " would, with expert: 1");
    }
    return Error("parallel.expert", why, "; ",
                 Divisors(s.stage_ranks() / parts), " would");
  }

  // Each rank routes its own tokens.
  absl::Status Tensor() const {
    if (t_.split.tensor == 1 || t_.split.sequence) return absl::OkStatus();
    return Error("parallel.sequence",
                 "is needed where a model with experts is trained with tensor "
                 "above 1 (as by Megatron-Core); set sequence: true");
  }

  absl::Status Shards() const {
    const Split& s = t_.split;
    if (s.shard_group == 0) return absl::OkStatus();
    const int64_t groups = s.copies() * s.data * s.context / s.shard_group;
    const int64_t copies = s.expert_copies();
    if (copies % groups == 0) return absl::OkStatus();
    return Error("parallel.shard_group", s.shard_group, " makes ", groups,
                 " groups, which do not divide the ", copies,
                 " copies of each expert; 0 works");
  }

  absl::Status Capacity() const {
    const models::ExpertOptions& o = t_.experts;
    if (o.pad_to_capacity && !o.drops()) {
      return Error("experts.pad_to_capacity",
                   "needs a capacity; set capacity_factor, e.g. 1");
    }
    if (o.drops() && o.dispatcher == models::TokenDispatcher::kAllGather) {
      return Error("experts.capacity_factor",
                   "is not known to dispatcher ALL_GATHER (Megatron-Core's "
                   "either); ALL_TO_ALL or DEEPEP work, or 0");
    }
    return absl::OkStatus();
  }

  absl::Status Load() const {
    const models::ExpertOptions& o = t_.experts;
    if (o.balance == models::ExpertBalance::kPowerLaw &&
        o.power_law_alpha == 1) {
      return Error("experts.alpha", "cannot be 1; 1.01 works");
    }
    if (o.balance != models::ExpertBalance::kGiven) return absl::OkStatus();
    const auto count = static_cast<size_t>(model_.experts->count);
    if (o.histogram.size() != count) {
      return Error("experts.histogram", o.histogram.size(),
                   " numbers for the model's ", count,
                   " experts; give one each");
    }
    double sum = 0;
    for (const int64_t tokens : o.histogram) sum += static_cast<double>(tokens);
    if (sum == 0) {
      return Error("experts.histogram",
                   "counts no tokens; give an expert some");
    }
    const auto most = std::max_element(o.histogram.begin(), o.histogram.end());
    const int64_t top_k = model_.experts->top_k;
    if (static_cast<double>(*most) * static_cast<double>(top_k) > sum) {
      return Error("experts.histogram", "expert ",
                   most - o.histogram.begin(), " has ", *most, " of ",
                   absl::StrCat(sum), " tokens, more than one in ", top_k,
                   ", and a token takes an expert once; at most ",
                   static_cast<int64_t>(sum / static_cast<double>(top_k)),
                   " would do");
    }
    return absl::OkStatus();
  }

  absl::Status Dispatcher() const {
    const Split& s = t_.split;
    if (t_.experts.dispatcher != models::TokenDispatcher::kDeepEp ||
        s.expert == 1) {
      return absl::OkStatus();
    }
    if (!cluster_.deep_ep) {
      return Error("experts.dispatcher", "no DeepEP is calibrated for ",
                   cluster_.gpu.name, "; ALL_TO_ALL and ALL_GATHER work");
    }
    if (cluster_.nvlink_rate.count() == 0) {
      return Error("experts.dispatcher",
                   "DEEPEP needs NVLink between the GPUs of a server; "
                   "ALL_TO_ALL and ALL_GATHER work");
    }
    if (s.parts_of_expert() > 1) {
      return Error("experts.dispatcher",
                   "DEEPEP is not modelled with experts that are divided; "
                   "set parallel.expert_tensor: 1, or ALL_TO_ALL works");
    }
    const int64_t node = cluster_.gpus_per_node;
    if (s.expert % node == 0 || node % s.expert == 0) return absl::OkStatus();
    return Error("experts.dispatcher", "DEEPEP needs as many ranks of an "
                 "expert-parallel group on each server: expert ", s.expert,
                 " and its ", node, " GPUs do not divide each other; "
                 "ALL_TO_ALL works");
  }

  absl::Status Recomputed() const {
    if (t_.recompute != models::Recompute::kOperators &&
        t_.recompute != models::Recompute::kDotsExceptMlp) {
      return absl::OkStatus();
    }
    return Error("recompute",
                 models::NameOf(t_.recompute), " does not say what layers of experts keep; NONE, "
                 "SELECTIVE and FULL work");
  }

  absl::Status Gpu() const {
    const models::RankShape shape(model_, t_);
    const models::GroupedGemm product{.rows = {},
                                      .dtype = shape.matmul,
                                      .output = shape.activation,
                                      .family = t_.experts.kernels};
    const absl::Status runs = cost_.Check(product);
    if (runs.ok()) return runs;
    return Error("experts.kernels", runs.message(),
                 "; TRANSFORMER_ENGINE and SEQUENTIAL work");
  }

  const ModelSpec& model_;
  const hardware::Cluster& cluster_;
  const hardware::CostModel& cost_;
  const TrainingSpec& t_;
  const sim::TextField& field_;
};

}  // namespace

absl::Status CheckExperts(const Inputs& inputs, const sim::TextField& field) {
  return Checks(inputs, field).All();
}

}  // namespace scenarios
