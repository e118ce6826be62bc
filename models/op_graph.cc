#include "models/op_graph.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace models {
namespace {

constexpr OpId kNoOp{0xffffffff};

}  // namespace

absl::string_view NameOf(Holder holder) {
  constexpr absl::string_view kNames[] = {
      "weights",         "gradients",
      "optimizer state", "activations",
      "workspace",       "gathered weights",
      "logits",          "communication buffers",
      "CUDA context"};
  return kNames[static_cast<size_t>(holder)];
}

int StreamOf(const Op& op) {
  const Collective* collective = op.collective();
  if (collective != nullptr) return 1 + static_cast<int>(collective->axis);
  return op.beside ? 1 + static_cast<int>(*op.beside) : 0;
}

TensorId OpGraphBuilder::Input() {
  made_by_.Append(kNoOp);
  written_by_.Append(kNoOp);
  last_reader_.Append(kNoOp);
  last_weight_gradient_.Append(kNoOp);
  return tensors_.Append({});
}

TensorId OpGraphBuilder::Add(Op op, std::span<const TensorId> reads,
                             sim::Bytes output, Holder holder) {
  op.phase = phase_;
  op.layer = layer_;
  op.recompute = recompute_;
  op.weight_gradient = weight_gradient_ && phase_ == Phase::kBackward;
  op.host_microseconds = std::exchange(host_microseconds_, 0);
  const absl::string_view name = op.name;
  const OpId id = ops_.Append(std::move(op));
  for (const TensorId tensor : reads) Read(id, tensor);
  return Also(output, holder, name);
}

TensorId OpGraphBuilder::Also(sim::Bytes bytes, Holder holder,
                              absl::string_view name) {
  made_by_.Append(last());
  written_by_.Append(last());
  last_reader_.Append(kNoOp);
  last_weight_gradient_.Append(kNoOp);
  return tensors_.Append({bytes, holder, name});
}

void OpGraphBuilder::Read(OpId reader, TensorId tensor) {
  if (tensor == kNoTensor) return;
  last_reader_[tensor] = reader;
  if (ops_[reader].weight_gradient) last_weight_gradient_[tensor] = reader;
  const OpId writer = written_by_[tensor];
  if (writer != kNoOp && writer != reader) edges_.emplace_back(reader, writer);
}

absl::StatusOr<OpGraph> OpGraphBuilder::Build() && {
  std::sort(edges_.begin(), edges_.end());
  edges_.erase(std::unique(edges_.begin(), edges_.end()), edges_.end());
  std::vector<std::pair<OpId, TensorId>> makes, frees, frees_split;
  for (size_t row = 0; row < tensors_.size(); ++row) {
    const auto tensor = sim::AsId<TensorId>(row);
    if (tensors_[tensor].bytes <= sim::Bytes(0)) continue;
    makes.emplace_back(made_by_[tensor], tensor);
    const OpId last = last_reader_[tensor] == kNoOp ? made_by_[tensor]
                                                    : last_reader_[tensor];
    const OpId weights = last_weight_gradient_[tensor];
    frees.emplace_back(last, tensor);
    frees_split.emplace_back(weights == kNoOp ? last : weights, tensor);
  }
  const size_t count = ops_.size();
  OpGraph graph{.ops = std::move(ops_),
                .needs = sim::Runs<OpId, OpId>(count, edges_),
                .tensors = std::move(tensors_),
                .makes = sim::Runs<OpId, TensorId>(count, makes),
                .frees = sim::Runs<OpId, TensorId>(count, frees),
                .frees_split = sim::Runs<OpId, TensorId>(count, frees_split)};
  if (const auto order = TopologicalOrder(graph); !order.ok()) {
    return order.status();
  }
  return graph;
}

std::string Dump(const OpGraph& graph) {
  constexpr absl::string_view kPhases[] = {"forward", "backward", "step"};
  std::string text;
  for (size_t row = 0; row < graph.ops.size(); ++row) {
    const Op& op = graph.ops[sim::AsId<OpId>(row)];
    absl::StrAppend(&text, row, " ", kPhases[static_cast<size_t>(op.phase)],
                    op.recompute ? " again" : "");
    if (op.layer >= 0) absl::StrAppend(&text, " L", op.layer);
    absl::StrAppend(&text, " ", op.name, " ");
    if (const Collective* c = op.collective()) {
      absl::StrAppend(&text, NameOf(c->kind), " ", NameOf(c->axis), " ",
                      c->bytes.count());
    } else {
      absl::StrAppend(&text, Dump(*op.kernel()));
    }
    const auto needs = graph.needs[sim::AsId<OpId>(row)];
    if (!needs.empty()) {
      absl::StrAppend(&text, " <- ",
                      absl::StrJoin(needs, " ", [](std::string* out, OpId id) {
                        absl::StrAppend(out, sim::Row(id));
                      }));
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

}  // namespace models
