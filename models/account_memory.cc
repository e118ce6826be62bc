// Sections of the account: training state, optimizers, activations, KV cache.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "models/account.h"
#include "models/account_sections.h"
#include "models/activation_memory.h"
#include "models/data_parallel.h"
#include "models/fp8_weights.h"
#include "models/kv_cache.h"
#include "models/op_graph.h"
#include "models/optimizer_traffic.h"
#include "models/parameters.h"
#include "models/rank_shape.h"
#include "models/rules_of_thumb.h"
#include "models/training.h"
#include "models/training_graph.h"
#include "models/training_state.h"

namespace models {
namespace {

// Of a page of the KV cache: vLLM's default (Kwon et al. 2023, section 7.2).
constexpr int64_t kBlockTokens = 16;

AccountRow Bytes(std::string section, std::string name, double exact,
                 std::string note) {
  return {.section = std::move(section),
          .name = std::move(name),
          .unit = "bytes",
          .exact = exact,
          .rule = {},
          .bytes = {},
          .note = std::move(note)};
}

// Chunks of the stage with the most parameters on a rank.
std::vector<Chunk> FullestStage(const AccountQuestion& question) {
  const RankShape shape(question.model, question.training);
  const auto parameters = [&](const std::vector<Chunk>& chunks) {
    int64_t sum = 0;
    for (const Chunk& chunk : chunks) sum += shape.ParametersOf(chunk).total();
    return sum;
  };
  const std::vector<std::vector<Chunk>> stages =
      ChunksOf(question.model, question.training.split);
  return *std::max_element(stages.begin(), stages.end(),
                           [&](const auto& a, const auto& b) {
                             return parameters(a) < parameters(b);
                           });
}

// What the fullest rank of the question's own split holds between steps.
void AddRank(const AccountQuestion& question, AccountRows* rows) {
  const TrainingSpec& training = question.training;
  const RankShape shape(question.model, training);
  const std::vector<Chunk> chunks = FullestStage(question);
  const HeldParameters counts = HeldOf(shape, chunks);
  const ParameterCounts parameters = counts.all;
  const StateBytes state = StateBytesOf(training);
  const TrainingState own{
      "", state.weights, state.master, state.gradients, state.optimizer, ""};
  sim::Bytes held = FurtherStateBytes(question.model, training, chunks) +
                    Fp8WeightBytes(question.model, training, chunks);
  for (const Holder holder :
       {Holder::kWeights, Holder::kGradients, Holder::kOptimizerState}) {
    held += HeldBytes(training, counts, holder);
  }
  AccountRow row = Bytes(
      "training state", "this run, on its fullest rank",
      static_cast<double>(held.count()),
      absl::StrFormat("%s, %s, ZeRO-%d over %s, %s; rule: the ZeRO paper's "
                      "division",
                      NameOf(training.precision), NameOf(training.optimizer),
                      training.split.zero,
                      Counted(ShardRanks(training.split), "rank"),
                      Counted(parameters.total(), "parameter")));
  if (shape.frozen) {
    absl::StrAppend(&row.note, ", of which ", Grouped(counts.trained.total()),
                    " train");
    rows->push_back(std::move(row));
    return;
  }
  const auto rule = [&](int64_t count, ParameterKind kind) {
    return static_cast<double>(count) *
           ZeroBytes(own, training.split.zero,
                     ShardRanks(training.split, kind));
  };
  row.rule = rule(parameters.dense, ParameterKind::kDense) +
             rule(parameters.expert, ParameterKind::kExpert);
  rows->push_back(std::move(row));
}

const char* NoteOn(Optimizer optimizer) {
  switch (optimizer) {
    case Optimizer::kMuon:
      return ": 4 of a matrix's, 8 of all others";
    case Optimizer::kAdafactor:
      return ": 4 a row and 4 a column of a matrix";
    default:
      return "";
  }
}

}  // namespace

void AddTrainingState(const AccountQuestion& question, AccountRows* rows) {
  const auto total = static_cast<double>(CountParameters(question.model).total);
  for (const TrainingState& s : TrainingStates()) {
    rows->push_back(Bytes(
        "training state", absl::StrCat("Adam, ", s.name),
        total * static_cast<double>(s.bytes()),
        absl::StrFormat("%d B: weights %d, master %d, gradients %d, moments "
                        "%d; %s",
                        s.bytes(), s.weights, s.master, s.gradients, s.moments,
                        s.note)));
  }
  if (HasGraph(question.model)) AddRank(question, rows);
}

void AddOptimizers(const AccountQuestion& question, AccountRows* rows) {
  const auto total = static_cast<double>(CountParameters(question.model).total);
  for (const Optimizer optimizer : Optimizers()) {
    const auto bytes = static_cast<double>(
        WholeStateBytes(question.model, optimizer).count());
    rows->push_back(
        Bytes("optimizer state", std::string(NameOf(optimizer)), bytes,
              absl::StrFormat("%.4g B a parameter%s", bytes / total,
                              NoteOn(optimizer))));
  }
}

void AddActivations(const AccountQuestion& question, AccountRows* rows) {
  const ModelSpec& model = question.model;
  const TrainingSpec& training = question.training;
  const std::string section = absl::StrCat(
      "activations, ", training.micro_batch, " x ", training.sequence_length,
      " tokens, tensor ", training.split.tensor,
      training.split.sequence ? ", sequence parallel" : "");
  ActivationFormula formula{.sequence = training.sequence_length,
                            .batch = training.micro_batch,
                            .hidden = model.hidden,
                            .heads = model.heads,
                            .tensor = training.split.tensor,
                            .sequence_parallel = training.split.sequence};
  if (HasGraph(model)) {
    const Chunk chunk = ChunksOf(model, training.split)[0][0];
    const OpGraph graph = BuildChunk(model, training, chunk);
    AccountRow layer =
        Bytes(section, "a layer, this run",
              static_cast<double>(KeptBytes(graph, chunk.layers / 2).count()),
              "the graph's own sum");
    formula.recompute = training.recompute;
    if (!model.linear_stack) {
      layer.note = absl::StrCat(
          "the graph's own sum",
          training.kernels.fused_attention ? ", no scores kept" : "",
          training.kernels.dropout > 0 ? "" : ", no dropout",
          model.experts ? "" : "; rule: Korthikanti et al. 2022, Table 2");
      if (!model.experts) {
        layer.rule = static_cast<double>(BytesPerLayer(formula).count());
      }
    }
    rows->push_back(std::move(layer));
    rows->push_back(
        Bytes(section, "a microbatch, first stage, this run",
              static_cast<double>(KeptBytes(graph).count()),
              absl::StrCat(Counted(chunk.layers, "layer"),
                           " and the ends of the model they have")));
  }
  if (model.linear_stack) return;
  struct Row {
    Recompute recompute;
    const char *name, *note;
  };
  for (const Row& row :
       {Row{Recompute::kNone, "a layer, everything kept",
            "s·b·h·(34 + 5·a·s/h) when nothing is split"},
        Row{Recompute::kSelective, "a layer, attention recomputed",
            "s·b·h·34 when nothing is split"},
        Row{Recompute::kFull, "a layer, all recomputed", "s·b·h·2"}}) {
    formula.recompute = row.recompute;
    AccountRow formula_row = Bytes(section, row.name, 0, row.note);
    formula_row.exact.reset();
    formula_row.rule = static_cast<double>(BytesPerLayer(formula).count());
    rows->push_back(std::move(formula_row));
  }
}

void AddKvCache(const AccountQuestion& question, AccountRows* rows) {
  const ModelSpec& model = question.model;
  const TrainingSpec& t = question.training;
  const std::string section =
      absl::StrCat("KV cache, ", NameOf(question.served));
  const auto token = KvBytesPerToken(model, question.served).count();
  rows->push_back(Bytes(
      section, "a token", static_cast<double>(token),
      model.latent
          ? absl::StrFormat("%d layers x (%d + %d) elements", model.layers,
                            model.latent->kv_lora_rank,
                            model.latent->qk_rope_head_dim)
          : absl::StrFormat("2 x %d layers x %d heads x %d elements",
                            model.layers, model.kv_heads, model.head_dim)));
  rows->push_back(
      Bytes(section, "a token, if every head had its own",
            static_cast<double>(
                BytesOf(question.served,
                        2 * model.layers * model.heads * model.head_dim)
                    .count()),
            "multi-head attention"));
  rows->push_back(Bytes(
      section, absl::StrCat(t.micro_batch, " x ", t.sequence_length, " tokens"),
      static_cast<double>(
          KvBytes(model, question.served, t.micro_batch, t.sequence_length)
              .count()),
      model.sliding_window > 0 ? "windows keep their last tokens only" : ""));
  rows->push_back(Bytes(
      section, "paged, wasted by a sequence at most",
      static_cast<double>((kBlockTokens - 1) * token),
      absl::StrFormat("its last block of %d tokens holds one", kBlockTokens)));
}

}  // namespace models
