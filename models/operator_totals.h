// The operators of a graph summed by name: FLOPs, bytes and launches.
//
//   for (const OperatorTotal& t : TotalsOf(BuildChunk(model, training, whole)))
//     t.name, t.flops;  // "qkv", 2·tokens·8192·10240 times 80 layers
#ifndef MODELS_OPERATOR_TOTALS_H_
#define MODELS_OPERATOR_TOTALS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/model_spec.h"
#include "models/op_graph.h"
#include "models/sequences.h"
#include "sim/units.h"

namespace models {

// Operators of one phase and name. Collectives are left out.
struct OperatorTotal {
  std::string name;
  Phase phase = Phase::kForward;
  bool recompute = false;    // forward work done again
  int64_t count = 0;         // operators
  sim::Flops flops;          // all arithmetic, masked attention pairs skipped
  sim::Flops matrix_flops;   // of matrix products only, full attention
  sim::Bytes read, written;  // HBM traffic

  // FLOPs per byte.
  double intensity() const;
};

// In the order in which they first run.
std::vector<OperatorTotal> TotalsOf(const OpGraph& graph);

// Of all operators, of one phase, and of what is recomputed.
OperatorTotal SumOf(std::span<const OperatorTotal> totals);
OperatorTotal SumOf(std::span<const OperatorTotal> totals, Phase phase,
                    bool recompute = false);

// ---- Closed forms, for models of every kind ---------------------------------

// Matrix products of `batch` sequences of `sequence` tokens, one row for each
// matrix of the model (and "attention"), without any graph: 2 · tokens ·
// parameters forward, for experts those a token visits; twice that backward.
struct ProductTotal {
  // "attention.query.weight"; with experts, "expert layer: router.weight".
  std::string name;
  sim::Flops forward, backward;
};
// `causal_half` skips the masked pairs of attention. Sliding windows always do.
// Packed `sequences` attend to themselves alone.
std::vector<ProductTotal> ProductsOf(const ModelSpec& model, int64_t batch,
                                     int64_t sequence, bool causal_half,
                                     const Sequences& sequences = {});
ProductTotal SumOf(std::span<const ProductTotal> products);

// One token more for each of `batch` sequences of `context` tokens, itself
// included: FLOPs, and bytes of weights and KV cache read once.
struct DecodeWork {
  sim::Flops flops;
  sim::Bytes weights, kv_cache;

  double intensity() const;
};
// With many sequences a token's experts differ: all of `batch · top_k` are
// counted, at most all there are.
DecodeWork DecodeWorkOf(const ModelSpec& model, int64_t batch, int64_t context,
                        DType dtype);

}  // namespace models

#endif  // MODELS_OPERATOR_TOTALS_H_
