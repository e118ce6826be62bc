// Activations a layer keeps from its forward to its backward pass: the formulas
// of Korthikanti et al. 2022 (arXiv:2205.05198), and the operator graph's own
// sum, which also knows gated MLPs, grouped heads and fused attention.
//
//   ActivationFormula f{.sequence = 2048, .batch = 1, .hidden = 8192,
//                       .heads = 64};
//   BytesPerLayer(f);  // s·b·h·(34 + 5·a·s/h) = 1,912,602,624 B
#ifndef MODELS_ACTIVATION_MEMORY_H_
#define MODELS_ACTIVATION_MEMORY_H_

#include <cstdint>

#include "models/model_spec.h"
#include "models/op_graph.h"
#include "models/training.h"
#include "sim/units.h"

namespace models {

// Table 2 of the paper: a GPT layer in 16 bits with dropout and materialised
// scores. With s tokens, b sequences, h hidden, a heads, t tensor-parallel
// ranks, in bytes (34 is bytes, not elements):
//
//   no split                      s·b·h·(34 + 5·a·s/h)
//   tensor                        s·b·h·(10 + 24/t + 5·a·s/(h·t))
//   tensor, sequence              s·b·h·(34/t + 5·a·s/(h·t))
//   tensor, selective             s·b·h·(10 + 24/t)
//   tensor, sequence, selective   s·b·h·34/t
//   full recomputation            s·b·h·2
struct ActivationFormula {
  int64_t sequence = 0, batch = 1, hidden = 0, heads = 0;
  int64_t tensor = 1;  // >= 1; divides heads
  bool sequence_parallel = false;
  Recompute recompute = Recompute::kNone;  // kOperators, …: as kNone
};
sim::Bytes BytesPerLayer(const ActivationFormula& formula);

// What the forward operators of `layer` hold for the backward pass.
sim::Bytes KeptBytes(const OpGraph& graph, int64_t layer);
// The same for all of the graph, layers, embedding and head.
sim::Bytes KeptBytes(const OpGraph& graph);

}  // namespace models

#endif  // MODELS_ACTIVATION_MEMORY_H_
