#include "models/activation_offload.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace models {
namespace {

constexpr size_t kNowhere = ~size_t{0};

size_t RowOf(OpId id) { return sim::Row(id); }

// One layer whose activations leave.
struct Leaving {
  sim::Bytes bytes;
  std::vector<TensorId> tensors;
  size_t forward_end = kNowhere;     // last op of its forward pass
  size_t wait = kNowhere;            // first kernel that runs when they have left
  size_t fetch = kNowhere;           // the copy back is issued before this op …
  size_t fetch_after = kNowhere;     // … and starts after this one
  size_t backward_begin = kNowhere;  // first kernel of its backward pass
  size_t last = kNowhere, last_split = kNowhere;  // last readers
};

class Rewriter {
 public:
  Rewriter(OpGraph graph, const Offload& offload, int64_t first, int64_t layers)
      : graph_(std::move(graph)),
        wait_(offload.activations_wait),
        first_(first),
        layers_(layers),
        leaving_(static_cast<size_t>(
            std::min(offload.activation_layers, layers))) {}

  OpGraph Rewrite() && {
    FindTensors();
    for (size_t i = 0; i < leaving_.size(); ++i) FindPlaces(i);
    CopyOps();
    CopyEdges();
    CopyTensors();
    const size_t ops = ops_.size();
    return {.ops = std::move(ops_),
            .needs = sim::Runs<OpId, OpId>(ops, Sorted(&edges_)),
            .tensors = std::move(tensors_),
            .makes = sim::Runs<OpId, TensorId>(ops, makes_),
            .frees = sim::Runs<OpId, TensorId>(ops, frees_),
            .frees_split = sim::Runs<OpId, TensorId>(ops, frees_split_)};
  }

 private:
  const Op& At(size_t row) const { return graph_.ops[sim::AsId<OpId>(row)]; }
  size_t size() const { return graph_.ops.size(); }
  // By layer of the chunk, or < 0.
  int64_t LayerOf(size_t row) const {
    const int64_t layer = At(row).layer;
    return layer < 0 ? -1 : layer - first_;
  }
  bool Is(size_t row, Phase phase, int64_t layer) const {
    return At(row).phase == phase && LayerOf(row) == layer;
  }
  bool IsComputed(size_t row) const { return StreamOf(At(row)) == 0; }

  static std::span<const std::pair<OpId, OpId>> Sorted(
      std::vector<std::pair<OpId, OpId>>* edges) {
    std::sort(edges->begin(), edges->end());
    edges->erase(std::unique(edges->begin(), edges->end()), edges->end());
    return *edges;
  }

  // A kept tensor leaves with the layer whose backward pass reads it last: it is
  // that layer's input, or one of its own.
  void FindTensors() {
    group_.resize(graph_.tensors.size());
    std::vector<bool> forward(graph_.tensors.size());
    for (size_t row = 0; row < size(); ++row) {
      if (At(row).phase != Phase::kForward) continue;
      for (const TensorId t : graph_.makes[sim::AsId<OpId>(row)]) {
        forward[sim::Row(t)] = graph_.tensors[t].holder == Holder::kActivations;
      }
    }
    for (size_t row = 0; row < size(); ++row) {
      const int64_t layer = LayerOf(row);
      if (At(row).phase != Phase::kBackward || layer < 0 ||
          layer >= static_cast<int64_t>(leaving_.size())) {
        continue;
      }
      Leaving& leaving = leaving_[static_cast<size_t>(layer)];
      for (const TensorId t : graph_.frees[sim::AsId<OpId>(row)]) {
        if (!forward[sim::Row(t)]) continue;
        group_[sim::Row(t)] = layer;
        leaving.tensors.push_back(t);
        leaving.bytes += graph_.tensors[t].bytes;
        leaving.last = row;
      }
    }
    for (size_t row = 0; row < size(); ++row) {
      for (const TensorId t : graph_.frees_split[sim::AsId<OpId>(row)]) {
        if (const auto group = group_[sim::Row(t)]) {
          leaving_[static_cast<size_t>(*group)].last_split = row;
        }
      }
    }
  }

  void FindPlaces(size_t index) {
    Leaving& l = leaving_[index];
    const auto layer = static_cast<int64_t>(index);
    const int64_t left = LeftAfter(
        layer, static_cast<int64_t>(leaving_.size()), layers_);
    size_t left_end = 0;
    for (size_t row = 0; row < size(); ++row) {
      if (Is(row, Phase::kForward, layer)) l.forward_end = row;
      const bool ends = left < layers_ || wait_
                            ? Is(row, Phase::kForward, wait_ ? layer : left)
                            : At(row).phase == Phase::kForward;
      if (ends) left_end = row;
      if (l.backward_begin == kNowhere && IsComputed(row) &&
          Is(row, Phase::kBackward, layer)) {
        l.backward_begin = row;
      }
    }
    for (size_t row = left_end + 1; row < size() && l.wait == kNowhere; ++row) {
      if (IsComputed(row)) l.wait = row;
    }
    // Backwards, they return while the layer before which they had left runs.
    size_t newest = kNowhere;
    for (size_t row = 0; row < size(); ++row) {
      if (At(row).phase != Phase::kBackward || !IsComputed(row)) continue;
      const bool begins = wait_ ? row == l.backward_begin
                                : LayerOf(row) >= 0 && LayerOf(row) <= left;
      if (begins && (newest != kNowhere || row == l.backward_begin)) {
        l.fetch = row;
        l.fetch_after = newest;
        break;
      }
      newest = row;
    }
  }

  OpId Insert(const Leaving& l, int64_t layer, bool leaves) {
    Op op{.work = Collective{.kind = CollectiveKind::kCopy,
                             .axis = leaves ? Axis::kToHost : Axis::kToDevice,
                             .bytes = l.bytes,
                             .host_held = leaves ? l.bytes
                                                 : sim::Bytes(-l.bytes.count())},
          .name = leaves ? "offload activations" : "fetch activations",
          .layer = static_cast<int32_t>(layer + first_),
          .phase = leaves ? Phase::kForward : Phase::kBackward,
          .host_sync = wait_ && leaves};
    return ops_.Append(std::move(op));
  }

  void CopyOps() {
    copied_.resize(size());
    leave_.resize(leaving_.size());
    fetch_.resize(leaving_.size());
    for (size_t row = 0; row < size(); ++row) {
      for (size_t i = leaving_.size(); i-- > 0;) {
        if (leaving_[i].fetch == row && leaving_[i].bytes.count() > 0) {
          fetch_[i] = Insert(leaving_[i], static_cast<int64_t>(i), false);
        }
      }
      copied_[row] = ops_.Append(At(row));
      for (size_t i = 0; i < leaving_.size(); ++i) {
        if (leaving_[i].forward_end == row && leaving_[i].bytes.count() > 0) {
          leave_[i] = Insert(leaving_[i], static_cast<int64_t>(i), true);
        }
      }
    }
  }

  void CopyEdges() {
    for (size_t row = 0; row < size(); ++row) {
      for (const OpId need : graph_.needs[sim::AsId<OpId>(row)]) {
        edges_.emplace_back(copied_[row], copied_[RowOf(need)]);
      }
    }
    for (size_t i = 0; i < leaving_.size(); ++i) {
      const Leaving& l = leaving_[i];
      if (l.bytes.count() == 0) continue;
      const auto layer = static_cast<int64_t>(i);
      for (size_t row = 0; row < size(); ++row) {
        if (Is(row, Phase::kForward, layer)) {
          edges_.emplace_back(leave_[i], copied_[row]);
        } else if (Is(row, Phase::kBackward, layer) &&
                   (row == l.backward_begin || ReadsForward(row))) {
          if (copied_[row] > fetch_[i]) {
            edges_.emplace_back(copied_[row], fetch_[i]);
          }
        }
      }
      if (l.wait != kNowhere) {
        edges_.emplace_back(copied_[l.wait], leave_[i]);
      }
      if (l.fetch_after != kNowhere) {
        edges_.emplace_back(fetch_[i], copied_[l.fetch_after]);
      }
    }
  }

  bool ReadsForward(size_t row) const {
    for (const OpId need : graph_.needs[sim::AsId<OpId>(row)]) {
      if (At(RowOf(need)).phase == Phase::kForward) return true;
    }
    return false;
  }

  // What left is free at the kernel that waits for it; what returns is one
  // buffer for each layer.
  void CopyTensors() {
    tensors_ = graph_.tensors;
    const auto copy = [&](const sim::Runs<OpId, TensorId>& runs, bool moves,
                          std::vector<std::pair<OpId, TensorId>>* pairs) {
      for (size_t row = 0; row < size(); ++row) {
        for (const TensorId t : runs[sim::AsId<OpId>(row)]) {
          const auto group = moves ? group_[sim::Row(t)] : std::nullopt;
          const size_t at =
              group ? leaving_[static_cast<size_t>(*group)].wait : row;
          pairs->emplace_back(copied_[at], t);
        }
      }
    };
    copy(graph_.makes, false, &makes_);
    copy(graph_.frees, true, &frees_);
    copy(graph_.frees_split, true, &frees_split_);
    for (size_t i = 0; i < leaving_.size(); ++i) {
      const Leaving& l = leaving_[i];
      if (l.bytes.count() == 0) continue;
      const TensorId back = tensors_.Append(
          {l.bytes, Holder::kActivations, "fetched activations"});
      makes_.emplace_back(fetch_[i], back);
      frees_.emplace_back(copied_[l.last], back);
      frees_split_.emplace_back(copied_[l.last_split], back);
    }
  }

  OpGraph graph_;
  bool wait_;
  int64_t first_, layers_;
  std::vector<Leaving> leaving_;  // by layer of the chunk
  std::vector<std::optional<int64_t>> group_;  // by tensor: the layer it leaves with

  std::vector<OpId> copied_, leave_, fetch_;
  sim::Column<OpId, Op> ops_;
  std::vector<std::pair<OpId, OpId>> edges_;
  sim::Column<TensorId, Tensor> tensors_;
  std::vector<std::pair<OpId, TensorId>> makes_, frees_, frees_split_;
};

}  // namespace

int64_t LeftAfter(int64_t layer, int64_t offloaded, int64_t layers) {
  const int64_t window = layers / offloaded;
  return std::max(layer + 1, window * (layer + 1) - 1);
}

OpGraph OffloadActivations(OpGraph graph, const Offload& offload, int64_t first,
                           int64_t layers) {
  if (offload.activation_layers == 0 || layers == 0) return graph;
  return Rewriter(std::move(graph), offload, first, layers).Rewrite();
}

}  // namespace models
