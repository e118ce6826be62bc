// The operator graph of one rank: what it computes, sends and keeps.
//
//   OpGraphBuilder b;
//   TensorId x = b.Input(sim::MiB(16), Holder::kActivations);
//   TensorId y = b.Add({.work = Gemm{…}, .name = "qkv"}, {x}, sim::MiB(20));
//   absl::StatusOr<OpGraph> graph = std::move(b).Build();
//
// Ops of one phase are issued in id order; each runs on a stream, in order, and
// may need ops of other streams. Free of any machine: the graph of a model is
// the same on an A100 and on a chip not yet built.
#ifndef MODELS_OP_GRAPH_H_
#define MODELS_OP_GRAPH_H_

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/op.h"
#include "sim/column.h"

namespace models {

enum class OpId : uint32_t {};
enum class TensorId : uint32_t {};
inline constexpr TensorId kNoTensor{0xffffffff};

enum class Phase : uint8_t {
  kForward,   // once for each microbatch
  kBackward,  // likewise
  kStep,      // once, after the last backward
};

// Which microbatches an op of kForward or kBackward belongs to.
enum class When : uint8_t {
  kAlways,
  kFirstMicrobatch,
  kLastMicrobatch,
  kAfterFirst,  // every one but the first
};

// What a buffer is held for; the rows of the memory report.
enum class Holder : uint8_t {
  kWeights,
  kGradients,
  kOptimizerState,
  kActivations,      // kept from forward to backward
  kWorkspace,        // within a layer
  kGatheredWeights,  // FSDP: unsharded layers
  kLogits,
  kCommunication,  // NCCL buffers
  kContext,        // CUDA context, framework
};
inline constexpr int kHolders = 9;
absl::string_view NameOf(Holder holder);

struct Op {
  std::variant<Kernel, Collective> work;
  absl::string_view name;  // a literal: "qkv", "attention", "mlp up", …
  int32_t layer = -1;      // of the model; -1: none
  Phase phase = Phase::kForward;
  When when = When::kAlways;
  bool recompute = false;  // forward work done again in the backward pass
  // kBackward: makes weight gradients, or serves only them; a schedule may run
  // it later, in a pass of its own.
  bool weight_gradient = false;
  bool host_sync = false;  // the host waits for its result (a loss read back)
  // A kernel on the stream of a communication instead of the compute stream.
  std::optional<Axis> beside = std::nullopt;
  // No work: data goes from one chunk of the rank to its next.
  bool hand_over = false;
  // What the host does before it launches it, beside the launch.
  double host_microseconds = 0;

  const Kernel* kernel() const { return std::get_if<Kernel>(&work); }
  const Collective* collective() const {
    return std::get_if<Collective>(&work);
  }
};

// Kernels share one stream, but for those beside a communication; each axis of
// communication has its own.
// Row 0 is the compute stream, row 1 + axis an axis'.
int StreamOf(const Op& op);

struct Tensor {
  sim::Bytes bytes;
  Holder holder = Holder::kWorkspace;
  absl::string_view name;
};

struct OpGraph {
  sim::Column<OpId, Op> ops;
  sim::Runs<OpId, OpId> needs;  // ops that must end before it; lower ids
  sim::Column<TensorId, Tensor> tensors;
  sim::Runs<OpId, TensorId> makes;  // allocated when the op is issued
  sim::Runs<OpId, TensorId> frees;  // this op is the last to read them …
  // … and this one where weight gradients have a pass of their own, which
  // follows the rest of the backward pass.
  sim::Runs<OpId, TensorId> frees_split;
};

class OpGraphBuilder {
 public:
  // Every op added from here on carries these.
  void SetPhase(Phase phase) { phase_ = phase; }
  void SetLayer(int64_t layer) { layer_ = static_cast<int32_t>(layer); }
  void SetRecompute(bool recompute) { recompute_ = recompute; }
  // Backward ops added from here on are weight gradients, or serve only them.
  void SetWeightGradient(bool weights) { weight_gradient_ = weights; }
  int32_t layer() const { return layer_; }
  // The host works so long before it launches the op added next.
  void SetHostTime(double microseconds) { host_microseconds_ = microseconds; }

  // Adds an op that reads `reads` (kNoTensor is skipped). Its output tensor is
  // returned; with zero bytes the output takes no memory (a view, or written
  // in place) but still orders its readers after the op.
  TensorId Add(Op op, std::span<const TensorId> reads,
               sim::Bytes output = sim::Bytes(0),
               Holder holder = Holder::kWorkspace);
  TensorId Add(Op op, std::initializer_list<TensorId> reads,
               sim::Bytes output = sim::Bytes(0),
               Holder holder = Holder::kWorkspace) {
    return Add(std::move(op), std::span(reads.begin(), reads.size()), output,
               holder);
  }
  // A further output of the op added last.
  TensorId Also(sim::Bytes bytes, Holder holder, absl::string_view name);
  // The op added last also reads `tensor` (kNoTensor is skipped).
  void Reads(TensorId tensor) { Read(last(), tensor); }
  // The op added last also writes `tensor`, in place: who reads it from here
  // on runs after that op.
  void Writes(TensorId tensor) { written_by_[tensor] = last(); }
  // A tensor from outside: no op makes it.
  TensorId Input();
  void Order(OpId before, OpId after) { edges_.emplace_back(after, before); }
  OpId last() const { return sim::AsId<OpId>(ops_.size() - 1); }
  bool empty() const { return ops_.empty(); }
  // The op that wrote `tensor` last; REQUIRES: it is not an unwritten Input().
  OpId writer(TensorId tensor) const { return written_by_[tensor]; }

  // Fails on a cycle, naming its ops.
  absl::StatusOr<OpGraph> Build() &&;

 private:
  void Read(OpId reader, TensorId tensor);

  Phase phase_ = Phase::kForward;
  int32_t layer_ = -1;
  bool recompute_ = false;
  bool weight_gradient_ = false;
  double host_microseconds_ = 0;
  sim::Column<OpId, Op> ops_;
  std::vector<std::pair<OpId, OpId>> edges_;  // (op, one it needs)
  sim::Column<TensorId, Tensor> tensors_;
  sim::Column<TensorId, OpId> made_by_, written_by_;
  sim::Column<TensorId, OpId> last_reader_;
  sim::Column<TensorId, OpId> last_weight_gradient_;  // … among those
};

// ---- Questions about a graph, answered with Boost.Graph (op_graph_order.cc)
// --

// Ops in an order that respects every edge; fails on a cycle, naming its ops.
absl::StatusOr<std::vector<OpId>> TopologicalOrder(const OpGraph& graph);
// The chain of ops with the greatest sum of `weight`, first to last.
// REQUIRES: the graph is acyclic, weight.size() == ops.size().
std::vector<OpId> CriticalPath(const OpGraph& graph,
                               std::span<const double> weight);
// GraphViz of the ops of one layer (-1: of all) and the edges among them; those
// of `path` stand out.
std::string ToGraphViz(const OpGraph& graph, int32_t layer,
                       std::span<const OpId> path = {});

// One line per op, for tests and for people:
//   7 forward L3 qkv gemm 8192x10240x8192 bf16 <- 5 6
std::string Dump(const OpGraph& graph);

}  // namespace models

#endif  // MODELS_OP_GRAPH_H_
