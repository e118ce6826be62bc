#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hardware/cost_model.h"
#include "models/op.h"
#include "models/schedules/plan_check.h"
#include "models/schedules/schedule.h"
#include "scenarios/training_fields.h"
#include "sim/spelling.h"

namespace scenarios {
namespace {

using models::ModelSpec;
using models::Split;
using models::TrainingSpec;

// "1, 2, 4 or 8": the numbers that divide all of `of`, at most `most`.
std::string Divisors(const std::vector<int64_t>& of, int64_t most) {
  std::vector<std::string> names;
  for (int64_t n = 1; n <= most; ++n) {
    bool divides = true;
    for (const int64_t whole : of) divides = divides && whole % n == 0;
    if (divides) names.push_back(absl::StrCat(n));
  }
  if (names.size() < 2) return absl::StrJoin(names, "");
  const std::string last = names.back();
  names.pop_back();
  return absl::StrCat(absl::StrJoin(names, ", "), " or ", last);
}

std::string Divisors(int64_t of) { return Divisors({of}, of); }

// The checks, over one training and the field it stands in.
class Checks {
 public:
  Checks(const proto::Training& training, const Inputs& inputs,
         const sim::TextField& field)
      : given_(training),
        inputs_(inputs),
        model_(inputs.model),
        cluster_(inputs.cluster),
        cost_(inputs.cost),
        t_(inputs.training),
        field_(field) {}

  absl::Status All() const {
    for (const auto check :
         {&Checks::Required, &Checks::Tensor, &Checks::Sequence,
          &Checks::Context, &Checks::Ranks,
          &Checks::Batch, &Checks::Layers, &Checks::Chunks, &Checks::Schedule,
          &Checks::Sharding, &Checks::Recomputed, &Checks::Gpu}) {
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

  absl::Status Required() const {
    if (!given_.has_sequence_length()) {
      return Error("sequence_length",
                   "is missing; give the tokens of a "
                   "sequence, e.g. 4096");
    }
    if (!given_.has_global_batch()) {
      return Error("global_batch",
                   "is missing; give the sequences of a step, "
                   "e.g. 512");
    }
    if (model_.positions == models::Positions::kLearned &&
        t_.sequence_length > model_.max_positions) {
      return Error("sequence_length", t_.sequence_length,
                   " is more than the model's ", model_.max_positions,
                   " learned positions; at most that many work");
    }
    return absl::OkStatus();
  }

  absl::Status Tensor() const {
    const int64_t tensor = t_.split.tensor;
    if (tensor == 1) return absl::OkStatus();
    if (model_.linear_stack) {
      return Error("parallel.tensor",
                   "a linear stack has no heads to divide; 1 works");
    }
    if (model_.heads % tensor != 0) {
      return Error("parallel.tensor", tensor, " does not divide the model's ",
                   model_.heads, " heads; ", Divisors(model_.heads), " would");
    }
    if (model_.kv_heads % tensor != 0 && tensor % model_.kv_heads != 0) {
      return Error(
          "parallel.tensor", tensor, " and the model's ", model_.kv_heads,
          " key-value heads do not divide each other; ",
          Divisors({model_.heads, model_.kv_heads}, model_.heads), " would");
    }
    if (model_.ffn_hidden % tensor != 0) {
      return Error(
          "parallel.tensor", tensor,
          " does not divide the model's ffn_hidden, ", model_.ffn_hidden, "; ",
          Divisors({model_.ffn_hidden, model_.heads}, model_.heads), " would");
    }
    return absl::OkStatus();
  }

  absl::Status Sequence() const {
    const Split& s = t_.split;
    if (s.context > 1 && t_.sequence_length % (2 * s.context) != 0) {
      const int64_t pieces = 2 * s.context;
      return Error("parallel.context", "twice ", s.context,
                   " does not divide the sequence_length of ",
                   t_.sequence_length, "; a sequence_length of ",
                   (t_.sequence_length / pieces + 1) * pieces, " would");
    }
    if (!s.sequence) return absl::OkStatus();
    if (s.tensor == 1) {
      return Error("parallel.sequence",
                   "needs tensor above 1; set tensor, or sequence: false");
    }
    const int64_t local = t_.sequence_length / s.context;
    if (local % s.tensor != 0) {
      return Error("parallel.sequence", "tensor, ", s.tensor,
                   ", does not divide the ", local,
                   " tokens of a sequence on one rank");
    }
    return absl::OkStatus();
  }

  absl::Status Context() const { return CheckContext(given_, inputs_, field_); }

  absl::Status Ranks() const {
    const Split& s = t_.split;
    const int64_t gpus = cluster_.ranks();
    const int64_t replica = s.tensor * s.context * s.pipeline;
    const std::string product =
        absl::StrCat("tensor ", s.tensor, " x context ", s.context,
                     " x pipeline ", s.pipeline);
    if (gpus % replica != 0) {
      return Error("parallel", product, " = ", replica,
                   " does not divide the cluster's ", gpus, " GPUs; ",
                   Divisors(gpus), " would");
    }
    if (s.data * replica != gpus) {
      return Error("parallel.data", product, " x data ", s.data, " = ",
                   s.data * replica, " GPUs, but the cluster has ", gpus,
                   "; data ", gpus / replica, " would, or leave it out");
    }
    return absl::OkStatus();
  }

  absl::Status Batch() const {
    const int64_t pass = t_.micro_batch * t_.split.data;
    if (t_.global_batch % pass == 0) return absl::OkStatus();
    const int64_t below = t_.global_batch / pass * pass;
    return Error("global_batch", t_.global_batch,
                 " is not a multiple of micro_batch ", t_.micro_batch,
                 " x data ", t_.split.data, " = ", pass, "; ",
                 below > 0 ? absl::StrCat(below, " or ") : std::string(),
                 below + pass, " would");
  }

  absl::Status Layers() const {
    const Split& s = t_.split;
    const int64_t chunks = s.pipeline * s.virtual_stages;
    if (chunks > model_.layers + 2) {
      return Error("parallel.pipeline", s.pipeline, " x virtual_stages ",
                   s.virtual_stages, " = ", chunks,
                   " chunks are more than the model's ", model_.layers,
                   " layers; as many chunks as layers would");
    }
    if (given_.parallel().placement() == proto::Parallel::COUNT_ENDS &&
        chunks > 1 && (model_.layers + 2) % chunks != 0) {
      return Error("parallel.placement", "pipeline ", s.pipeline,
                   " x virtual_stages ", s.virtual_stages,
                   " does not divide the model's ", model_.layers,
                   " layers and 2 for embedding and head; give chunk_layers");
    }
    if (!s.chunk_layers.empty() || model_.layers % chunks == 0) {
      return absl::OkStatus();
    }
    const std::string works = absl::StrCat(
        "; ",
        Divisors(model_.layers /
                 (s.virtual_stages > 1 && model_.layers % s.virtual_stages == 0
                      ? s.virtual_stages
                      : 1)),
        " would (or set placement or chunk_layers)");
    if (s.virtual_stages == 1) {
      return Error("parallel.pipeline", s.pipeline,
                   " does not divide the model's ", model_.layers, " layers",
                   works);
    }
    return Error("parallel.virtual_stages", s.virtual_stages, " chunks in ",
                 s.pipeline, " stages do not divide the model's ",
                 model_.layers, " layers; ",
                 model_.layers % s.pipeline == 0
                     ? absl::StrCat(Divisors(model_.layers / s.pipeline),
                                    " would (or set placement or chunk_layers)")
                     : "set placement or chunk_layers");
  }

  absl::Status Chunks() const {
    const Split& s = t_.split;
    if (given_.parallel().chunk_layers_size() == 0) return absl::OkStatus();
    const int64_t chunks = s.pipeline * s.virtual_stages;
    if (static_cast<int64_t>(s.chunk_layers.size()) != chunks) {
      return Error("parallel.chunk_layers", s.chunk_layers.size(),
                   " numbers for pipeline ", s.pipeline, " x virtual_stages ",
                   s.virtual_stages, " = ", chunks, " chunks; give one each");
    }
    int64_t sum = 0;
    for (const int64_t layers : s.chunk_layers) sum += layers;
    if (sum != model_.layers) {
      return Error("parallel.chunk_layers", "sum to ", sum,
                   ", but the model has ", model_.layers,
                   " layers; give them all");
    }
    return absl::OkStatus();
  }

  absl::Status Schedule() const {
    const Split& s = t_.split;
    if (s.vocabulary != models::VocabularySplit::kNone &&
        (s.schedule != "1f1b" || s.pipeline == 1)) {
      return Error("parallel.vocabulary",
                   "needs schedule 1f1b on several stages; ON_ENDS works");
    }
    if (s.vocabulary != models::VocabularySplit::kNone &&
        model_.mtp_depth > 0) {
      return Error("parallel.vocabulary",
                   "the layers that predict further tokens read the whole head "
                   "on the last stage; ON_ENDS works");
    }
    if (s.by_table()) return Table();
    if (!s.schedule_table.empty()) {
      return Error("parallel.schedule_table",
                   "needs schedule: \"table\"; ", s.schedule,
                   " orders the passes itself");
    }
    const models::PipelineSchedule* schedule = models::FindSchedule(s.schedule);
    if (schedule == nullptr) {
      std::vector<std::string> names;
      for (const models::PipelineSchedule& known :
           models::PipelineSchedules()) {
        names.emplace_back(known.name);
      }
      names.emplace_back("table");
      return Error("parallel.schedule", "there is no schedule \"", s.schedule,
                   "\"; ", sim::Suggest(s.schedule, names, "schedules"));
    }
    using Takes = models::PipelineSchedule::Takes;
    if (schedule->takes == Takes::kTwo && s.virtual_stages != 2) {
      return Error("parallel.virtual_stages", s.schedule,
                   " has two chunks in a stage; 2 works");
    }
    if ((schedule->takes == Takes::kOne) != (s.virtual_stages == 1)) {
      return Error("parallel.schedule", s.schedule,
                   schedule->takes == Takes::kOne
                       ? " has one chunk in a stage"
                       : " needs virtual_stages above 1",
                   "; set virtual_stages or leave schedule out");
    }
    if (s.virtual_stages > 1 && s.pipeline == 1) {
      return Error("parallel.virtual_stages",
                   "needs pipeline above 1; set pipeline, or 1 works");
    }
    const absl::Status halved = Halved();
    if (!halved.ok()) return halved;
    return Microbatches(*schedule);
  }

  // Where two stages hold the same layers.
  absl::Status Halved() const {
    const Split& s = t_.split;
    if (s.pipeline % s.copies() != 0) {
      return Error("parallel.pipeline", s.pipeline, " stages are an odd number, "
                   "and ", s.schedule, " gives the layers of each to the one "
                   "opposite, too; ", s.pipeline + 1, " would");
    }
    return absl::OkStatus();
  }

  absl::Status Table() const {
    const Split& s = t_.split;
    const auto& lists = given_.parallel().schedule_table();
    for (int stage = 0; stage < lists.size(); ++stage) {
      const auto passes = models::ParsePasses(lists[stage]);
      if (passes.ok()) continue;
      return Error("parallel.schedule_table", "stage ", stage, ", ",
                   passes.status().message());
    }
    if (s.placement() == models::Placement::kVee && s.virtual_stages != 2) {
      return Error("parallel.virtual_stages",
                   "a V has two chunks in a stage; 2 works");
    }
    if (s.copies() > 1 && s.virtual_stages != 1) {
      return Error("parallel.virtual_stages",
                   "a stage has one chunk of each copy; 1 works");
    }
    const absl::Status halved = Halved();
    if (!halved.ok()) return halved;
    if (t_.microbatches() % s.copies() != 0) {
      return Error("global_batch", t_.global_batch, " makes ",
                   t_.microbatches(),
                   " microbatches, of which one half cannot go each way");
    }
    const absl::Status status =
        models::CheckPlan(s.schedule_table, s.PipelineOf(t_.microbatches()));
    if (status.ok()) return status;
    return Error("parallel.schedule_table", status.message());
  }

  absl::Status Microbatches(const models::PipelineSchedule& schedule) const {
    const Split& s = t_.split;
    const int64_t passes = t_.microbatches();
    const auto error = [&](int64_t works, const auto&... words) {
      return Error("global_batch", t_.global_batch, " makes ", passes,
                   " microbatches, and ", words..., "; ",
                   works * t_.micro_batch * s.data, " would");
    };
    if (schedule.whole_groups && passes % s.pipeline != 0) {
      return error((passes / s.pipeline + 1) * s.pipeline,
                   "interleaving needs a multiple of pipeline, ", s.pipeline);
    }
    const int64_t least = schedule.least_microbatches * s.pipeline;
    if (passes < least) {
      return error(least, schedule.name, " needs ",
                   schedule.least_microbatches, " for each of ", s.pipeline,
                   " stages, ", least);
    }
    if (passes % s.copies() != 0) {
      return error(passes + 1, schedule.name,
                   " sends half of them each way, an even number");
    }
    return absl::OkStatus();
  }

  absl::Status Sharding() const {
    const Split& s = t_.split;
    if (s.shard_group == 0) return absl::OkStatus();
    const int64_t ranks = s.copies() * s.data * s.context;
    if (s.zero == 0) {
      return Error("parallel.shard_group",
                   "needs zero 1, 2 or 3: with zero 0 nothing is sharded");
    }
    if (ranks % s.shard_group != 0) {
      return Error("parallel.shard_group", s.shard_group,
                   " does not divide the ", ranks, " data-parallel ranks; ",
                   Divisors(ranks), " would");
    }
    return absl::OkStatus();
  }

  absl::Status Recomputed() const {
    if (t_.recompute == models::Recompute::kLatentUp && !model_.latent) {
      return Error("recompute",
                   "MLA_UP_PROJECTION needs a model with latent attention; NONE, "
                   "SELECTIVE, OPERATORS and FULL work");
    }
    if (t_.recompute_layers == 0) return absl::OkStatus();
    if (t_.recompute != models::Recompute::kFull) {
      return Error("recompute_layers",
                   "needs recompute: FULL; the other ways have no layers to "
                   "choose");
    }
    if (t_.recompute_layers > model_.layers) {
      return Error("recompute_layers", t_.recompute_layers,
                   " is more than the model's ", model_.layers,
                   " layers; 0 recomputes them all");
    }
    return absl::OkStatus();
  }

  // Whether the GPU has the tensor cores and the attention kernel asked for.
  absl::Status Gpu() const {
    const models::DType products[] = {
        models::DType::kFp32, models::DType::kTf32, models::DType::kFp16,
        models::DType::kBf16, models::DType::kFp8};
    const models::DType dtype = products[static_cast<size_t>(t_.precision)];
    const absl::Status gemm = cost_.Check(models::Gemm{
        .m = 128, .n = 128, .k = 128, .dtype = dtype, .output = dtype});
    if (!gemm.ok()) return Error("precision", gemm.message());
    if (model_.heads == 0 || !t_.kernels.fused_attention) {
      return absl::OkStatus();
    }
    const absl::Status attention = CheckAttention(t_.kernels.attention);
    if (attention.ok()) return attention;
    std::vector<std::string> works = {"MATERIALISED"};
    for (const auto& [name, family] : kAttentionFamilies) {
      if (CheckAttention(family).ok()) {
        works.push_back(proto::Kernels::Attention_Name(name));
      }
    }
    return Error("kernels.attention", attention.message(), "; ",
                 absl::StrJoin(works, ", "), " work");
  }

  absl::Status CheckAttention(models::AttentionFamily family) const {
    return cost_.Check(models::Attention{.batch = 1,
                                         .heads = model_.heads,
                                         .kv_heads = model_.kv_heads,
                                         .queries = t_.sequence_length,
                                         .keys = t_.sequence_length,
                                         .head_dim = model_.head_dim,
                                         .value_head_dim = model_.head_dim,
                                         .family = family,
                                         .dtype = models::DType::kBf16});
  }

  const proto::Training& given_;
  const Inputs& inputs_;
  const ModelSpec& model_;
  const hardware::Cluster& cluster_;
  const hardware::CostModel& cost_;
  const TrainingSpec& t_;
  const sim::TextField& field_;
};

}  // namespace

absl::Status CheckTraining(const proto::Training& training,
                           const Inputs& inputs, const sim::TextField& field) {
  return Checks(training, inputs, field).All();
}

}  // namespace scenarios
