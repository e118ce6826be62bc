// Muon (Jordan et al. 2024): the momentum of each weight matrix is replaced by
// the nearest matrix with orthogonal rows or columns, found by iterations of
// Newton-Schulz in BF16:
//
//   A = X X^T     B = b A + c A A     X = a X + B X     m x n, m <= n
//
//   OrthogonaliseFlops({4096, 14336}, 5);  // 5 · (4 m² n + 2 m³) = 5.5e12
//
// Embedding, LM head and vectors are AdamW's. Tensor-parallel ranks work on the
// block they hold (Megatron's --muon-tp-mode blockwise).
#ifndef MODELS_MUON_H_
#define MODELS_MUON_H_

#include <cstdint>
#include <span>
#include <vector>

#include "models/data_parallel.h"
#include "models/op_graph.h"
#include "models/weight_matrices.h"

namespace models {

double OrthogonaliseFlops(const WeightMatrix& matrix, int steps);

// What the rank with the most to do orthogonalises, of `matrices` whose state
// `shards` ranks divide.
struct MuonShare {
  std::vector<WeightMatrix> matrices;
  int64_t elements = 0;  // of the state it updates
  int64_t gathered = 0;  // kGather: elements of all matrices that are cut
};
MuonShare MuonShareOf(std::span<const WeightMatrix> matrices, int64_t shards,
                      MuonSharding sharding);

// The update of what `chunks` hold; REQUIRES: the optimizer is Muon.
void EmitMuon(const ModelSpec& model, const TrainingSpec& training,
              std::span<const Chunk> chunks, const DataParallel& dense,
              const DataParallel& experts, OpGraphBuilder* builder);

}  // namespace models

#endif  // MODELS_MUON_H_
