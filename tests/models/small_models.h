// Small models, and their training, whose figures tests work out by hand.
#ifndef TESTS_MODELS_SMALL_MODELS_H_
#define TESTS_MODELS_SMALL_MODELS_H_

#include "models/training_graph.h"

namespace models {

// Four layers, GQA, gated MLP.
inline ModelSpec SmallLlama() {
  ModelSpec m;
  m.name = "small";
  m.layers = 4;
  m.hidden = 1024;
  m.heads = 16;
  m.kv_heads = 4;
  m.head_dim = 64;
  m.ffn_hidden = 2816;
  m.vocab = 32000;
  m.gated_mlp = true;
  m.activation = Activation::kSilu;
  m.norm = Norm::kRmsNorm;
  m.norm_bias = false;
  return m;
}

// GPT: MHA, plain MLP, biases, learned positions, tied embeddings, dropout.
inline ModelSpec SmallGpt() {
  ModelSpec m;
  m.name = "gpt";
  m.layers = 2;
  m.hidden = 512;
  m.heads = m.kv_heads = 8;
  m.head_dim = 64;
  m.ffn_hidden = 2048;
  m.vocab = 51200;
  m.max_positions = 1024;
  m.positions = Positions::kLearned;
  m.tied_embeddings = true;
  m.qkv_bias = m.attention_out_bias = m.mlp_bias = true;
  return m;
}

// MHA, a plain MLP four times as wide.
inline ModelSpec PlainLayers(int64_t layers) {
  ModelSpec m;
  m.layers = layers;
  m.hidden = 1024;
  m.heads = m.kv_heads = 16;
  m.head_dim = 64;
  m.ffn_hidden = 4096;
  m.vocab = 32000;
  m.positions = Positions::kRotary;
  return m;
}

inline TrainingSpec Training(int64_t sequence, Split split = {}) {
  TrainingSpec t;
  t.sequence_length = sequence;
  t.split = split;
  t.global_batch = split.data;
  t.pad_vocab_to = 1;
  return t;
}

inline OpGraph Whole(const ModelSpec& model, const TrainingSpec& training) {
  return BuildChunk(model, training,
                    {.first_layer = 0,
                     .layers = model.layers,
                     .embedding = true,
                     .head = true});
}

}  // namespace models

#endif  // TESTS_MODELS_SMALL_MODELS_H_
