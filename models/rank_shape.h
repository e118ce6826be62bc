// The sizes one rank of a split works with: tokens, columns and parameters.
//
//   RankShape s(llama3_70b, training);  // TP8, sequence parallel, b=1 s=8192
//   s.tokens;   // 8192: rows of the matrix products
//   s.shard;    // 1024: rows of norms and residuals
//   s.q_width;  // 8 heads x 128
#ifndef MODELS_RANK_SHAPE_H_
#define MODELS_RANK_SHAPE_H_

#include <cstdint>
#include <vector>

#include "models/model_spec.h"
#include "models/training.h"

namespace models {

// Consecutive layers of the model on one pipeline stage, with the embedding
// before them or the head (final norm, logits, loss) behind them.
struct Chunk {
  int64_t first_layer = 0;
  int64_t layers = 0;
  bool embedding = false;
  bool head = false;
  bool up = false;         // its data flows towards lower stages
  bool from_here = false;  // its data comes from a chunk of the same stage …
  bool to_here = false;    // … or goes to one, without a message
  // No layers, but a share of the embedding and the head: forward, logits and
  // statistics of a microbatch; backward, their gradients.
  bool vocabulary = false;
  friend bool operator==(const Chunk&, const Chunk&) = default;
};

// Parameters of one rank by the ranks that hold copies of them: routed experts
// have other copies than all else (Split::expert_copies).
struct ParameterCounts {
  int64_t dense = 0, expert = 0;

  int64_t total() const { return dense + expert; }
  ParameterCounts& operator+=(ParameterCounts more) {
    dense += more.dense;
    expert += more.expert;
    return *this;
  }
  friend bool operator==(const ParameterCounts&,
                         const ParameterCounts&) = default;
};

struct RankShape {
  RankShape(const ModelSpec& model, const TrainingSpec& training);

  int64_t batch;     // sequences in a microbatch
  int64_t sequence;  // tokens of a sequence on this rank: length / cp
  int64_t tokens;    // batch · sequence
  int64_t shard;     // tokens / tp under sequence parallelism, else tokens
  int64_t q_heads, kv_heads;  // on this rank; at least one KV head
  int64_t q_width;            // q_heads · head_dim
  int64_t kv_width;           // kv_heads · head_dim: of the keys
  int64_t value_head_dim;     // head_dim, but for latent attention
  int64_t value_width;        // kv_heads · value_head_dim
  int64_t context_width;      // q_heads · value_head_dim: attention's output
  int64_t ffn;                // columns of one dense MLP matrix
  int64_t experts = 0;        // routed ones on this rank
  int64_t expert_ffn = 0;     // columns of one of their matrices
  int64_t shared_ffn = 0;     // of the shared expert's
  int64_t vocab;              // rows of the embedding, padded
  DType activation;           // 16-bit, or FP32
  DType matmul;               // of the linear layers

  // Parameters this rank holds before ZeRO divides them.
  ParameterCounts LayerParameters(int64_t layer) const;
  ParameterCounts dense_layer, expert_layer;  // of either kind
  int64_t embedding_parameters;  // tokens and learned positions
  int64_t head_parameters;       // final norm, and the LM head if untied
  int64_t tied_head_parameters;  // second copy of the embedding where the head is
                                 // on another stage, and it is tied or
                                 // multi-token prediction reads it
  // Of the layers that predict further tokens, which the head's rank holds.
  ParameterCounts mtp;

  int64_t vocabulary_stages = 1;  // that divide embedding and head, if any do

  // Of a chunk; counts a tied embedding once where both ends share a rank.
  ParameterCounts ParametersOf(const Chunk& chunk) const;
  // Of these, the embedding's and the head's.
  int64_t EndsOf(const Chunk& chunk) const;

  std::vector<bool> expert_layers;  // which layers have experts; empty: none
  // Of all these, what trains: everything, or adapters alone.
  ParameterCounts TrainedInLayer(int64_t layer) const;
  ParameterCounts TrainedOf(const Chunk& chunk) const;
  int64_t TrainedEnds(int64_t parameters) const {
    return frozen ? 0 : parameters;
  }
  bool frozen;              // adapters alone train
  int64_t adapters;         // parameters of a layer's; part of dense_layer
  int64_t nf4_weights = 0;  // weights of a layer stored in four bits
};

// The chunks of each pipeline stage, [stage][chunk], as the schedule places
// them. Uneven layer counts give the first parts of the model one layer more.
std::vector<std::vector<Chunk>> ChunksOf(const ModelSpec& model,
                                         const Split& split);

}  // namespace models

#endif  // MODELS_RANK_SHAPE_H_
