// What a layer of experts keeps from its forward pass to its backward pass.
// Megatron-Core keeps the same: the router's scores and choice, the rows that
// the experts multiply, in their order, and what its experts make of them
// before and after the activation (megatron/core/transformer/moe).
#ifndef MODELS_EXPERT_TENSORS_H_
#define MODELS_EXPERT_TENSORS_H_

#include "models/op_graph.h"

namespace models {

struct ExpertTensors {
  TensorId scores = kNoTensor;     // of each token for each expert, and its choice
  TensorId rows = kNoTensor;       // input of the experts
  TensorId up = kNoTensor;         // up and gate projections
  TensorId activated = kNoTensor;  // input of the down projection
  TensorId shared_up = kNoTensor;  // of the shared expert, likewise
  TensorId shared_activated = kNoTensor;
  TensorId shared_output = kNoTensor;  // where a gate multiplies it
};

}  // namespace models

#endif  // MODELS_EXPERT_TENSORS_H_
