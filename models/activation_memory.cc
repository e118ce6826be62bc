#include "models/activation_memory.h"

#include <cstdint>
#include <optional>

#include "models/op_graph.h"
#include "models/training.h"
#include "sim/column.h"
#include "sim/units.h"

namespace models {
namespace {

// Of the forward operators of `layer`, or of all, whose tensors a backward
// operator is the last to read.
sim::Bytes Kept(const OpGraph& graph, std::optional<int64_t> layer) {
  const size_t ops = graph.ops.size();
  sim::Column<TensorId, char> read_backward(graph.tensors.size(), 0);
  for (size_t row = 0; row < ops; ++row) {
    const OpId op = sim::AsId<OpId>(row);
    if (graph.ops[op].phase != Phase::kBackward) continue;
    for (const TensorId tensor : graph.frees[op]) read_backward[tensor] = 1;
  }
  sim::Bytes sum(0);
  for (size_t row = 0; row < ops; ++row) {
    const OpId op = sim::AsId<OpId>(row);
    if (graph.ops[op].phase != Phase::kForward) continue;
    if (layer && graph.ops[op].layer != *layer) continue;
    for (const TensorId tensor : graph.makes[op]) {
      if (read_backward[tensor] != 0) sum += graph.tensors[tensor].bytes;
    }
  }
  return sum;
}

}  // namespace

sim::Bytes BytesPerLayer(const ActivationFormula& f) {
  const int64_t sbh = f.sequence * f.batch * f.hidden;
  if (f.recompute == Recompute::kFull) return sim::Bytes(2 * sbh);
  const int64_t linear = f.sequence_parallel ? sbh * 34 / f.tensor
                                             : sbh * 10 + sbh * 24 / f.tensor;
  if (f.recompute == Recompute::kSelective) return sim::Bytes(linear);
  const int64_t scores =
      5 * f.heads * f.sequence * f.sequence * f.batch / f.tensor;
  return sim::Bytes(linear + scores);
}

sim::Bytes KeptBytes(const OpGraph& graph, int64_t layer) {
  return Kept(graph, layer);
}

sim::Bytes KeptBytes(const OpGraph& graph) { return Kept(graph, {}); }

}  // namespace models
