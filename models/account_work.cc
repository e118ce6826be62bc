// Sections of the account: parameters, operators, FLOPs.
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "models/account.h"
#include "models/account_sections.h"
#include "models/op_graph.h"
#include "models/operator_totals.h"
#include "models/parameters.h"
#include "models/rank_shape.h"
#include "models/rules_of_thumb.h"
#include "models/training.h"
#include "models/training_graph.h"

namespace models {
namespace {

// 12·L·h² + V·h, or 2·V·h when the LM head is not the embedding.
double ParametersByRule(const ModelSpec& model) {
  const auto table = static_cast<double>(model.vocab * model.hidden);
  return BlockParameters(model.layers, model.hidden) +
         (model.tied_embeddings ? 1 : 2) * table;
}

std::string ShapeNote(const ParameterGroup& group,
                      const ParameterTensor& tensor) {
  const auto times = [](int64_t n, absl::string_view what) {
    return n > 1 ? absl::StrCat(n, " ", what, " x ") : std::string();
  };
  return absl::StrCat(times(group.layers, "layers"),
                      times(tensor.copies, "experts"), "[",
                      absl::StrJoin(tensor.shape, ", "), "]");
}

// The shape that Megatron's formula describes.
bool IsGpt(const ModelSpec& model) {
  return HasGraph(model) && !model.experts && !model.linear_stack &&
         !model.gated_mlp &&
         model.kv_heads == model.heads &&
         model.heads * model.head_dim == model.hidden &&
         model.ffn_hidden == 4 * model.hidden;
}

void AddOperatorRows(absl::string_view section,
                     const std::vector<OperatorTotal>& totals, Phase phase,
                     bool recompute, AccountRows* rows) {
  const OperatorTotal sum = SumOf(totals, phase, recompute);
  if (sum.count == 0) return;
  const auto add = [&](const OperatorTotal& t, std::string note) {
    rows->push_back({.section = std::string(section),
                     .name = t.name,
                     .unit = "FLOPs",
                     .exact = t.flops.count(),
                     .rule = {},
                     .bytes = static_cast<double>((t.read + t.written).count()),
                     .note = std::move(note)});
  };
  const auto note = [](const OperatorTotal& t) {
    return absl::StrFormat("%s, %.1f FLOPs/byte", Counted(t.count, "operator"),
                           t.intensity());
  };
  for (const OperatorTotal& t : totals) {
    if (t.phase != phase || t.recompute != recompute) continue;
    add(t, note(t));
  }
  add(sum, note(sum));
}

std::string Workload(const TrainingSpec& training) {
  return absl::StrCat(training.micro_batch, " x ", training.sequence_length,
                      " tokens");
}

void AddProducts(const AccountQuestion& question, AccountRows* rows) {
  const TrainingSpec& t = question.training;
  std::vector<ProductTotal> products =
      ProductsOf(question.model, t.micro_batch, t.sequence_length, true,
                 t.sequences);
  products.push_back(SumOf(products));
  for (const ProductTotal& product : products) {
    rows->push_back(
        {.section = absl::StrCat("matrix products, forward, ", Workload(t)),
         .name = product.name,
         .unit = "FLOPs",
         .exact = product.forward.count(),
         .rule = {},
         .bytes = {},
         .note = "closed form; backward takes twice as many"});
  }
}

}  // namespace

void AddParameters(const AccountQuestion& question, AccountRows* rows) {
  const ModelSpec& model = question.model;
  const Parameters parameters = CountParameters(model);
  const auto add = [&](std::string name, int64_t exact,
                       std::optional<double> rule, std::string note) {
    rows->push_back({.section = "parameters",
                     .name = std::move(name),
                     .unit = "",
                     .exact = static_cast<double>(exact),
                     .rule = rule,
                     .bytes = {},
                     .note = std::move(note)});
  };
  for (const ParameterGroup& group : parameters.groups) {
    for (const ParameterTensor& tensor : group.tensors) {
      add(absl::StrCat(group.name, ": ", tensor.name),
          group.layers * tensor.elements(), {}, ShapeNote(group, tensor));
    }
    if (group.layers > 1) {
      const auto h = static_cast<double>(model.hidden);
      add(absl::StrCat("one ", group.name), group.elements(),
          (model.linear_stack ? 1 : 12) * h * h,
          model.linear_stack ? "rule: D²" : "rule: 12·h²");
    }
  }
  if (model.linear_stack) {
    add("total", parameters.total,
        static_cast<double>(model.layers * model.hidden * model.hidden),
        "rule: L·D²");
    return;
  }
  add("total", parameters.total, ParametersByRule(model),
      model.tied_embeddings ? "rule: 12·L·h² + V·h" : "rule: 12·L·h² + 2·V·h");
  add("of these, embedding and LM head", parameters.embedding, {},
      "rows of the vocabulary and of learned positions");
  if (question.training.lora.on()) {
    TrainingSpec alone = question.training;
    alone.split = {};
    add("adapters, which alone train",
        model.layers * RankShape(model, alone).adapters, {},
        absl::StrCat("rank ", alone.lora.rank, ": in x r and r x out beside ",
                     "each target, in every layer"));
  }
  if (model.experts) {
    add("of these, active for one token", parameters.active, {},
        absl::StrCat(model.experts->top_k, " of ", model.experts->count,
                     " experts"));
  }
}

void AddOperators(const AccountQuestion& question, AccountRows* rows) {
  if (!HasGraph(question.model)) return AddProducts(question, rows);
  const std::string workload = Workload(question.training);
  const std::vector<OperatorTotal> totals = TotalsOf(GraphOfWhole(question));
  AddOperatorRows(absl::StrCat("operators, forward, ", workload), totals,
                  Phase::kForward, false, rows);
  AddOperatorRows(absl::StrCat("operators, recomputed, ", workload), totals,
                  Phase::kBackward, true, rows);
  AddOperatorRows(absl::StrCat("operators, backward, ", workload), totals,
                  Phase::kBackward, false, rows);
  TrainingSpec alone = question.training;
  alone.split = {};
  const std::vector<OperatorTotal> step = TotalsOf(
      BuildStep(question.model, alone, ChunksOf(question.model, {})[0]));
  AddOperatorRows("operators, optimizer step", step, Phase::kStep, false, rows);
}

void AddFlops(const AccountQuestion& question, AccountRows* rows) {
  const ModelSpec& model = question.model;
  const TrainingSpec& t = question.training;
  const int64_t tokens = t.micro_batch * t.sequence_length;
  const auto active = static_cast<double>(CountParameters(model).active);
  const auto add = [&](std::string name, double exact, double rule,
                       std::string note) {
    rows->push_back({.section = "FLOPs of matrix products",
                     .name = std::move(name),
                     .unit = "FLOPs",
                     .exact = exact,
                     .rule = rule,
                     .bytes = {},
                     .note = std::move(note)});
  };
  const auto products = [&](bool causal_half) {
    return SumOf(
        ProductsOf(model, t.micro_batch, t.sequence_length, causal_half,
                   t.sequences));
  };
  const ProductTotal half = products(true), full = products(false);
  const auto training = [&](const ProductTotal& sum) {
    return (sum.forward + sum.backward).count() / static_cast<double>(tokens);
  };
  add("forward, a token", half.forward.count() / static_cast<double>(tokens),
      ForwardFlops(active, 1).count(),
      "rule: 2·P; attention's masked half left out");
  add("training, a token", training(half), TrainingFlops(active, 1).count(),
      "rule: 6·P");
  if (IsGpt(model)) {
    add("training, a token, attention whole", training(full),
        MegatronStepFlops(model, t.micro_batch, t.sequence_length).count() /
            static_cast<double>(tokens),
        "rule: 72·L·h²·(1 + s/6h + V/12hL), which papers count for MFU");
  } else if (!model.linear_stack) {
    add("training, a token, attention whole", training(full),
        TrainingFlops(active, 1).count(),
        "as most papers count them for MFU; rule: 6·P");
  }
  if (t.lora.on()) {
    double sum = 0;
    for (const Op& op : GraphOfWhole(question).ops) {
      if (op.kernel() == nullptr || op.recompute) continue;
      const auto* attention = std::get_if<Attention>(op.kernel());
      // Of fused attention's five backward products one is run again.
      const bool again = attention != nullptr && attention->backward;
      sum += MatrixFlops(*op.kernel(), true).count() * (again ? 0.8 : 1);
    }
    add("training adapters, a token", sum / static_cast<double>(tokens),
        4 * active,
        "rule: 4·P, no gradients of frozen weights; exact: adapters count, the "
        "input gradient of the first adapted layer does not");
  }
  const auto step = static_cast<double>(t.global_batch * t.sequence_length);
  add(absl::StrCat("a step of ", Counted(t.global_batch, "sequence")),
      training(half) * step, TrainingFlops(active, step).count(),
      "rule: 6·P·D");
}

}  // namespace models
