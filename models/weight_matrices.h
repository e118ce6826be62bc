// The weight matrices of layers as one rank holds them: what optimizers that
// treat matrices as such (Muon, Adafactor) work on.
//
//   MatricesOf(llama3_8b, shape, 0);  // q 4096 x 4096, k and v 1024 x 4096, out
//                                     // 4096 x 4096, up and gate 14336 x 4096,
//                                     // down 4096 x 14336
//
// Vectors (norms, biases), the embedding and the LM head are not among them.
// Tensor-parallel ranks hold a block of rows or of columns of each.
#ifndef MODELS_WEIGHT_MATRICES_H_
#define MODELS_WEIGHT_MATRICES_H_

#include <cstdint>
#include <span>
#include <vector>

#include "models/model_spec.h"
#include "models/rank_shape.h"

namespace models {

struct WeightMatrix {
  int64_t rows = 0, columns = 0;  // outputs, inputs
  bool expert = false;            // of a routed expert
  int64_t elements() const { return rows * columns; }
};

// Of one layer, in the order the data flows.
std::vector<WeightMatrix> MatricesOf(const ModelSpec& model,
                                     const RankShape& shape, int64_t layer);
// Of all layers of a stage.
std::vector<WeightMatrix> MatricesOf(const ModelSpec& model,
                                     const RankShape& shape,
                                     std::span<const Chunk> chunks);
// Of a layer that predicts a further token; part of the last stage's.
std::vector<WeightMatrix> MtpMatricesOf(const ModelSpec& model,
                                        const RankShape& shape);
// The tables at the ends of the model: embedding, learned positions, LM head.
std::vector<WeightMatrix> TablesOf(const ModelSpec& model,
                                   const RankShape& shape,
                                   std::span<const Chunk> chunks);

// Their elements.
ParameterCounts ElementsOf(std::span<const WeightMatrix> matrices);

}  // namespace models

#endif  // MODELS_WEIGHT_MATRICES_H_
