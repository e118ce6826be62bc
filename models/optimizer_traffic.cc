#include "models/optimizer_traffic.h"

#include <vector>

#include "models/data_parallel.h"
#include "models/parameters.h"
#include "models/weight_matrices.h"

namespace models {
namespace {

bool IsAdam(Optimizer optimizer) {
  return optimizer == Optimizer::kAdam || optimizer == Optimizer::kAdamW;
}

// Whether states of few bytes are updated as FP32 copies.
bool UpdatesCopies(const TrainingSpec& training, Optimizer optimizer) {
  return IsAdam(optimizer) && training.kernels.fused_optimizer;
}

int64_t ShareOf(int64_t count, int64_t shards) {
  return (count + shards - 1) / shards;
}

// A rank's rows of every matrix's row statistics, all of its column statistics,
// and full second moments of vectors, in FP32. Matrices are sharded by rows
// (PyTorch's DTensor on dimension 0).
int64_t AdafactorBytes(const ModelSpec& model, const TrainingSpec& training,
                       const RankShape& shape, std::span<const Chunk> chunks) {
  std::vector<WeightMatrix> matrices = MatricesOf(model, shape, chunks);
  const std::vector<WeightMatrix> tables = TablesOf(model, shape, chunks);
  matrices.insert(matrices.end(), tables.begin(), tables.end());
  const int64_t dense = ShardRanks(training.split);
  const int64_t expert = ShardRanks(training.split, ParameterKind::kExpert);
  ParameterCounts vectors;
  for (const Chunk& chunk : chunks) vectors += shape.ParametersOf(chunk);
  int64_t words = 0;
  for (const WeightMatrix& m : matrices) {
    words += ShareOf(m.rows, m.expert ? expert : dense) + m.columns;
    (m.expert ? vectors.expert : vectors.dense) -= m.elements();
  }
  words += ShareOf(vectors.dense, dense) + ShareOf(vectors.expert, expert);
  return 4 * words;
}

}  // namespace

// Unfused (torch.optim foreach, AdamW): weight decay, lerp, mul, addcmul, sqrt,
// div, add, addcdiv each pass over their FP32 operands: 48 B read, 32 written.
// LAMB passes once more over weights and update for the trust ratio (You et al.
// 2020, algorithm 2). Adafactor (Shazeer and Stern 2018, algorithm 4) reads
// gradients for the means of their squares, for the size of the update and for
// the update; eager (transformers' Adafactor.step): square, add, two means,
// their product, mul, norm, div, mul, decay, sub, copy.
UpdateTraffic TrafficOf(const TrainingSpec& training, Optimizer optimizer) {
  TrainingSpec as = training;
  as.optimizer = optimizer;
  if (UpdatesCopies(training, optimizer)) {
    OptimizerOptions& o = as.optimizer_options;
    o.first_moment_bytes = o.second_moment_bytes = 4;
    if (o.master_bytes > 0 && !o.master_remainders) o.master_bytes = 4;
  }
  const StateBytes state = StateBytesOf(as);
  const int64_t copy = state.master > 0 ? state.weights : 0;
  const int64_t master = state.master > 0 ? state.master : state.weights;
  UpdateTraffic t{.read = state.gradients + master + state.optimizer,
                  .written = master + state.optimizer + copy,
                  .kernels = 1};
  if (optimizer == Optimizer::kLamb) {
    t.read += 8;
    t.written += 4;
    t.kernels = 3;
  }
  if (optimizer == Optimizer::kAdafactor) {
    t.read += 2 * state.gradients;
    t.kernels = 3;
    if (training.kernels.fused_optimizer) return t;
    return {.read = 48, .written = 28 + copy, .kernels = 12};
  }
  if (!training.kernels.fused_optimizer) {
    t.read = IsAdam(optimizer) ? 48 : 3 * t.read;
    t.written = IsAdam(optimizer) ? 32 + copy : 3 * t.written;
    t.kernels = 8;
  }
  return t;
}

// A state of b bytes: b read and 4 written, the update reads and writes 4
// instead of b, and 4 are read and b written; in FP8 they are read once more
// for their largest value.
StateCopies StateCopiesOf(const TrainingSpec& training, Optimizer optimizer) {
  StateCopies copies;
  if (!UpdatesCopies(training, optimizer)) return copies;
  const OptimizerOptions& o = training.optimizer_options;
  const bool mixed = StateBytesOf(training).master > 0;
  std::vector<int64_t> states = {o.first_moment_bytes, o.second_moment_bytes};
  if (mixed && !o.master_remainders) states.push_back(o.master_bytes);
  copies.unscale.kernels = copies.scale.kernels = 0;
  for (const int64_t bytes : states) {
    if (bytes == 4) continue;
    copies.unscale.read += bytes;
    copies.unscale.written += 4;
    ++copies.unscale.kernels;
    copies.scale.read += bytes == 1 ? 8 : 4;
    copies.scale.written += bytes;
    copies.scale.kernels += bytes == 1 ? 2 : 1;
    copies.held += 4;
  }
  return copies;
}

sim::Bytes FurtherStateBytes(const ModelSpec& model,
                             const TrainingSpec& training,
                             std::span<const Chunk> chunks) {
  const RankShape shape(model, training);
  if (training.optimizer == Optimizer::kAdafactor) {
    return sim::Bytes(AdafactorBytes(model, training, shape, chunks));
  }
  if (training.optimizer != Optimizer::kMuon) return sim::Bytes(0);
  ParameterCounts adam;
  for (const Chunk& chunk : chunks) adam += shape.ParametersOf(chunk);
  const ParameterCounts matrices = ElementsOf(MatricesOf(model, shape, chunks));
  adam.dense -= matrices.dense;
  adam.expert -= matrices.expert;
  return sim::Bytes(
      training.optimizer_options.second_moment_bytes *
      (ShareOf(adam.dense, ShardRanks(training.split)) +
       ShareOf(adam.expert,
               ShardRanks(training.split, ParameterKind::kExpert))));
}

sim::Bytes WholeStateBytes(const ModelSpec& model, Optimizer optimizer) {
  TrainingSpec alone;
  alone.optimizer = optimizer;
  alone.pad_vocab_to = 1;
  const sim::Bytes same(CountParameters(model).total *
                        StateBytesOf(alone).optimizer);
  return same + FurtherStateBytes(model, alone, ChunksOf(model, {})[0]);
}

}  // namespace models
