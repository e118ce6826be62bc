#include "scenarios/size_checks.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "models/training_graph.h"

namespace scenarios {
namespace {

// Activations of all microbatches together in bytes: 2^63 is 9.2e18, and what
// one operator makes of them stays below the difference.
constexpr double kMostBytes = 1e18;

// Operators of one microbatch on a rank that holds `layers` layers and both
// ends of the model.
double OperatorsPerMicrobatch(const Inputs& inputs, int64_t layers) {
  const models::OpGraph graph = models::BuildChunk(
      inputs.model, inputs.training,
      {.first_layer = 0, .layers = layers, .embedding = true, .head = true});
  return static_cast<double>(std::count_if(
      graph.ops.begin(), graph.ops.end(),
      [](const auto& op) { return op.when == models::When::kAlways; }));
}

// Of a token in a layer of experts, from above.
double ExpertWidths(const Inputs& inputs) {
  if (!inputs.model.experts) return 0;
  const models::Experts& e = *inputs.model.experts;
  const models::TrainingSpec& t = inputs.training;
  const bool even = t.experts.balance == models::ExpertBalance::kBalanced;
  // Rows of a rank for each of its tokens.
  const double rows =
      std::max(1.0, t.experts.capacity_factor) *
      static_cast<double>(e.top_k * t.split.parts_of_expert() *
                          (even ? 1 : t.split.expert));
  return 12 * rows * static_cast<double>(inputs.model.hidden + e.ffn_hidden) +
         6 * static_cast<double>(e.shared_ffn_hidden + e.count);
}

// Of one microbatch, over all layers, from above: what operators read and write
// at four bytes an element, in floating point because it may be absurd.
double ActivationBytes(const Inputs& inputs) {
  const models::ModelSpec& m = inputs.model;
  const models::TrainingSpec& t = inputs.training;
  const auto sequence = static_cast<double>(t.sequence_length);
  const auto batch = static_cast<double>(t.micro_batch);
  const auto context = static_cast<double>(t.split.context);
  const auto heads = static_cast<double>(m.heads);
  const auto layers = static_cast<double>(m.layers);
  const double widths = 16 * (static_cast<double>(m.hidden) +
                              heads * static_cast<double>(m.head_dim)) +
                        6 * static_cast<double>(m.ffn_hidden) +
                        ExpertWidths(inputs);
  const double ends = 3 * static_cast<double>(m.vocab + m.linear_outputs) +
                      static_cast<double>(t.pad_vocab_to * t.split.tensor);
  const double scores =
      t.kernels.fused_attention ? 0 : 6 * heads * sequence * layers;
  return 4 * batch * sequence / context * (layers * widths + ends + scores);
}

}  // namespace

double OperatorsOf(const Inputs& inputs) {
  const double one = OperatorsPerMicrobatch(inputs, 1);
  const double layer =
      inputs.model.layers > 1 ? OperatorsPerMicrobatch(inputs, 2) - one : 0;
  return static_cast<double>(inputs.training.microbatches()) *
         (one + layer * static_cast<double>(inputs.model.layers - 1));
}

absl::Status CheckSize(const Inputs& inputs, const sim::TextField& training) {
  const models::TrainingSpec& t = inputs.training;
  const auto microbatches = static_cast<double>(t.microbatches());
  const double bytes = ActivationBytes(inputs);
  const double operators = bytes > kMostBytes ? 0 : OperatorsOf(inputs);
  if (operators > kMostOperators) {
    const double fit = std::floor(kMostOperators * microbatches / operators);
    const int64_t works =
        static_cast<int64_t>(fit) * t.micro_batch * t.split.data;
    return training.At("global_batch")
        .Error(absl::StrCat(
            t.global_batch, " sequences make ", t.microbatches(),
            " microbatches on each replica, about ",
            absl::StrFormat("%.2g", operators), " operators to simulate; ",
            works > 0 ? absl::StrCat(works, " or fewer would do")
                      : "fewer layers or overlap.tensor_chunks would do"));
  }
  if (bytes * microbatches <= kMostBytes) return absl::OkStatus();
  return training.At("sequence_length")
      .Error(absl::StrCat(
          t.sequence_length, " tokens x micro_batch ", t.micro_batch, " x ",
          t.microbatches(), " microbatches make about ",
          absl::StrFormat("%.2g", bytes * microbatches),
          " bytes of activations on a GPU; at most ",
          absl::StrFormat("%.0e", kMostBytes), " can be counted"));
}

}  // namespace scenarios
