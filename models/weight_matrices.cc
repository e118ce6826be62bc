#include "models/weight_matrices.h"

namespace models {
namespace {

void AddLatent(const ModelSpec& m, const RankShape& s,
               std::vector<WeightMatrix>* all) {
  const LatentAttention& a = *m.latent;
  const int64_t query = s.q_heads * (a.qk_nope_head_dim + a.qk_rope_head_dim);
  if (a.q_lora_rank > 0) {
    all->push_back({a.q_lora_rank, m.hidden});
    all->push_back({query, a.q_lora_rank});
  } else {
    all->push_back({query, m.hidden});
  }
  all->push_back({a.kv_lora_rank + a.qk_rope_head_dim, m.hidden});
  all->push_back(
      {s.q_heads * (a.qk_nope_head_dim + a.v_head_dim), a.kv_lora_rank});
  all->push_back({m.hidden, s.q_heads * a.v_head_dim});
}

void AddAttention(const ModelSpec& m, const RankShape& s,
                  std::vector<WeightMatrix>* all) {
  if (m.latent) return AddLatent(m, s, all);
  all->push_back({s.q_width, m.hidden});
  all->push_back({s.kv_width, m.hidden});
  all->push_back({s.kv_width, m.hidden});
  all->push_back({m.hidden, s.q_width});
}

void AddMlp(const ModelSpec& m, int64_t ffn, bool expert,
            std::vector<WeightMatrix>* all) {
  if (ffn == 0) return;
  all->push_back({ffn, m.hidden, expert});
  if (m.gated_mlp) all->push_back({ffn, m.hidden, expert});
  all->push_back({m.hidden, ffn, expert});
}

}  // namespace

std::vector<WeightMatrix> MatricesOf(const ModelSpec& model,
                                     const RankShape& shape, int64_t layer) {
  std::vector<WeightMatrix> all;
  if (model.linear_stack) {
    all.push_back({model.hidden, model.hidden});
    return all;
  }
  AddAttention(model, shape, &all);
  if (!model.IsExpertLayer(layer)) {
    AddMlp(model, shape.ffn, false, &all);
    return all;
  }
  all.push_back({model.experts->count, model.hidden});
  AddMlp(model, shape.shared_ffn, false, &all);
  for (int64_t expert = 0; expert < shape.experts; ++expert) {
    AddMlp(model, shape.expert_ffn, true, &all);
  }
  return all;
}

std::vector<WeightMatrix> MatricesOf(const ModelSpec& model,
                                     const RankShape& shape,
                                     std::span<const Chunk> chunks) {
  std::vector<WeightMatrix> all;
  for (const Chunk& chunk : chunks) {
    for (int64_t i = 0; i < chunk.layers; ++i) {
      const std::vector<WeightMatrix> layer =
          MatricesOf(model, shape, chunk.first_layer + i);
      all.insert(all.end(), layer.begin(), layer.end());
    }
    if (!chunk.head) continue;
    for (int64_t depth = 0; depth < model.mtp_depth; ++depth) {
      const std::vector<WeightMatrix> mtp = MtpMatricesOf(model, shape);
      all.insert(all.end(), mtp.begin(), mtp.end());
    }
  }
  return all;
}

std::vector<WeightMatrix> MtpMatricesOf(const ModelSpec& model,
                                        const RankShape& shape) {
  std::vector<WeightMatrix> all =
      MatricesOf(model, shape, model.layers - 1);
  // Divided among tensor-parallel ranks as the heads are.
  all.push_back({model.hidden * shape.q_heads / model.heads, 2 * model.hidden});
  return all;
}

std::vector<WeightMatrix> TablesOf(const ModelSpec& model,
                                   const RankShape& shape,
                                   std::span<const Chunk> chunks) {
  std::vector<WeightMatrix> all;
  bool embedding = false;
  for (const Chunk& chunk : chunks) {
    if (model.linear_stack) {
      if (chunk.head && model.linear_outputs > 0) {
        all.push_back({model.linear_outputs, model.hidden});
      }
      continue;
    }
    embedding = embedding || chunk.embedding;
    if (chunk.embedding) {
      all.push_back({shape.vocab, model.hidden});
      if (model.positions == Positions::kLearned) {
        all.push_back({model.max_positions, model.hidden});
      }
    }
    if (chunk.head && model.mtp_depth > 0 && !model.tied_embeddings &&
        !embedding) {
      all.push_back({shape.vocab, model.hidden});
    }
    // A tied table is one where both ends share a rank.
    if (chunk.head && !(model.tied_embeddings && embedding)) {
      all.push_back({shape.vocab, model.hidden});
    }
  }
  return all;
}

ParameterCounts ElementsOf(std::span<const WeightMatrix> matrices) {
  ParameterCounts counts;
  for (const WeightMatrix& matrix : matrices) {
    (matrix.expert ? counts.expert : counts.dense) += matrix.elements();
  }
  return counts;
}

}  // namespace models
