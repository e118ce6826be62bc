// Whether context parallelism and packed sequences fit the model, the kernels
// and each other.
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "models/latent_attention.h"
#include "models/rank_shape.h"
#include "scenarios/training_fields.h"

namespace scenarios {
namespace {

using models::ContextKind;
using models::Split;
using models::TrainingSpec;

// Lengths that stand for all of a range: every one, or so many of them.
constexpr int64_t kMostLengths = 1024;

class Checks {
 public:
  Checks(const proto::Training& training, const Inputs& inputs,
         const sim::TextField& field)
      : given_(training),
        model_(inputs.model),
        t_(inputs.training),
        s_(inputs.training.split),
        field_(field) {}

  absl::Status All() const {
    for (const auto check :
         {&Checks::Inner, &Checks::Kernels, &Checks::Windows, &Checks::Heads,
          &Checks::Lengths, &Checks::Packing}) {
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

  absl::Status Inner() const {
    const bool hybrid = s_.context_kind == ContextKind::kHybrid;
    if (!hybrid && s_.context_inner > 1) {
      return Error("parallel.context_inner",
                   "is of context_kind A2A_P2P; set "
                   "that, or leave it out");
    }
    if (!hybrid || s_.context == 1) return absl::OkStatus();
    if (s_.context_inner == 1 || s_.context_inner >= s_.context ||
        s_.context % s_.context_inner != 0) {
      return Error("parallel.context_inner", s_.context_inner,
                   " must lie between 1 and context, ", s_.context,
                   ", and divide it; A2A or P2P alone need none");
    }
    return absl::OkStatus();
  }

  absl::Status Kernels() const {
    if (s_.context == 1 || model_.linear_stack) return absl::OkStatus();
    if (!t_.kernels.fused_attention) {
      return Error("parallel.context",
                   "passes keys around fused attention kernels; set "
                   "kernels.attention to one of those, or context: 1");
    }
    if (model_.latent && model_.latent->v_head_dim < model_.head_dim &&
        models::PadsValues(t_.kernels.attention)) {
      return Error("kernels.attention",
                   "with context above 1, latent attention needs kernels that "
                   "take narrow values; CUDNN and FLASH_3 do");
    }
    return absl::OkStatus();
  }

  absl::Status Windows() const {
    const bool windows =
        model_.sliding_window > 0 && model_.sliding_window < t_.sequence_length;
    if (s_.context == 1 || !windows) return absl::OkStatus();
    if (s_.context_kind == ContextKind::kAllGather ||
        s_.context_kind == ContextKind::kAllToAll) {
      return absl::OkStatus();
    }
    return Error("parallel.context_kind", models::NameOf(s_.context_kind),
                 " passes whole chunks, which the model's ",
                 model_.sliding_window,
                 "-token windows do not need; ALL_GATHER and A2A work");
  }

  absl::Status Heads() const {
    const int64_t ranks = s_.head_ranks();
    if (s_.context == 1 || ranks == 1 || model_.linear_stack) {
      return absl::OkStatus();
    }
    const models::RankShape shape(model_, t_);
    const int64_t both = std::gcd(shape.q_heads, shape.kv_heads);
    if (both % ranks == 0) return absl::OkStatus();
    return Error("parallel.context_kind", models::NameOf(s_.context_kind),
                 " divides the heads among ", ranks, " ranks, but tensor ",
                 s_.tensor, " leaves ", shape.q_heads, " query and ",
                 shape.kv_heads, " key-value heads; at most ", both,
                 both == 1 ? " works" : " ranks work");
  }

  absl::Status Lengths() const {
    if (!given_.has_sequences()) return absl::OkStatus();
    const proto::Sequences& m = given_.sequences();
    if (m.has_uniform() == (m.length_size() > 0)) {
      return Error("sequences",
                   "needs either length or uniform; e.g. length: "
                   "[512, 2048], or uniform { most: 2048 }");
    }
    if (m.has_uniform() && !m.uniform().has_most()) {
      return Error("sequences.uniform.most",
                   "is missing; give the tokens of the longest sequence");
    }
    if (m.has_uniform() && m.uniform().least() > m.uniform().most()) {
      return Error("sequences.uniform.least", m.uniform().least(),
                   " is more than most, ", m.uniform().most());
    }
    if (m.share_size() > 0 && m.share_size() != m.length_size()) {
      return Error("sequences.share", m.share_size(), " numbers for ",
                   m.length_size(), " lengths; give one each, or none");
    }
    double shares = m.share_size() == 0 ? 1 : 0;
    for (const double share : m.share()) shares += share;
    if (shares <= 0) {
      return Error("sequences.share", "sum to 0; some sequences must be there");
    }
    if (t_.sequences.Longest() > t_.sequence_length) {
      return Error("sequences", "the longest has ", t_.sequences.Longest(),
                   " tokens and a row (sequence_length) ", t_.sequence_length,
                   "; shorter ones, or a longer row, work");
    }
    if (m.has_fill() && !m.packed()) {
      return Error("sequences.fill",
                   "is of packed rows; set packed: true, or leave it out");
    }
    return absl::OkStatus();
  }

  absl::Status Packing() const {
    if (!t_.sequences.blocks()) return absl::OkStatus();
    if (model_.linear_stack) {
      return Error("sequences",
                   "mean nothing to a linear stack, which has no "
                   "attention; leave them out");
    }
    if (!t_.kernels.fused_attention) {
      return Error("kernels.attention",
                   "materialised scores have no blocks of packed sequences; "
                   "fused kernels do, or sequences.packed: false");
    }
    if (s_.context == 1) return absl::OkStatus();
    if (s_.context_kind != ContextKind::kP2p) {
      return Error("parallel.context_kind", models::NameOf(s_.context_kind),
                   " does not take packed sequences; P2P does");
    }
    for (const int64_t length : t_.sequences.lengths) {
      if (length % (2 * s_.context) == 0) continue;
      return Error("sequences.length",
                   "each sequence is cut in 2 x context = ", 2 * s_.context,
                   " pieces, which do not divide ", length, "; padded to ",
                   (length / (2 * s_.context) + 1) * 2 * s_.context,
                   " it would");
    }
    return absl::OkStatus();
  }

  const proto::Training& given_;
  const models::ModelSpec& model_;
  const TrainingSpec& t_;
  const Split& s_;
  const sim::TextField& field_;
};

}  // namespace

models::Sequences SequencesOf(const proto::Sequences& message,
                              int64_t context) {
  models::Sequences s{
      .lengths = {message.length().begin(), message.length().end()},
      .shares = {message.share().begin(), message.share().end()},
      .packed = message.packed(),
      .fill = message.packed() ? message.fill() : 1};
  if (!message.has_uniform() || !s.lengths.empty()) return s;
  const int64_t least = message.uniform().least(),
                most = message.uniform().most();
  const int64_t count = std::min(most - least + 1, kMostLengths);
  const int64_t pieces = context > 1 && s.packed ? 2 * context : 1;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t length =
        count == 1 ? least : least + (most - least) * i / (count - 1);
    s.lengths.push_back((length + pieces - 1) / pieces * pieces);
  }
  return s;
}

absl::Status CheckContext(const proto::Training& training, const Inputs& inputs,
                          const sim::TextField& field) {
  return Checks(training, inputs, field).All();
}

}  // namespace scenarios
