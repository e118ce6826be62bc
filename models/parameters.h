// Exact parameter counts, tensor by tensor.
//
//   Parameters p = CountParameters(*LoadModel("llama2-70b"));
//   p.total;  // 68,976,648,192
//   p.groups[1].tensors[1];  // attention.query.weight [8192, 8192]
//
// To count a new kind of tensor: add it where its part of the layer is listed
// in parameters.cc; the zoo's tests compare the totals with published counts.
#ifndef MODELS_PARAMETERS_H_
#define MODELS_PARAMETERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "models/model_spec.h"

namespace models {

struct ParameterTensor {
  std::string name;            // "attention.query.weight"
  std::vector<int64_t> shape;  // [outputs, inputs] or [width]
  int64_t copies = 1;          // alike in one layer: its routed experts
  int64_t active = 1;          // of these, how many a token visits

  int64_t elements() const;  // of all copies
  int64_t active_elements() const;
};

// Tensors that repeat as one: a kind of layer, or what stands before and after.
struct ParameterGroup {
  std::string name;    // "embedding", "layer", "expert layer", "head",
                       // "mtp layer"
  int64_t layers = 1;  // how many there are
  std::vector<ParameterTensor> tensors;  // of one

  int64_t elements() const;  // of one
  int64_t active_elements() const;
};

struct Parameters {
  std::vector<ParameterGroup> groups;  // in the order the data flows
  int64_t total = 0;
  // Rows of the vocabulary and of learned positions: embedding and LM head.
  int64_t embedding = 0;
  int64_t active = 0;  // that one token meets; total when there are no experts
};

Parameters CountParameters(const ModelSpec& model);

// Parameters of one layer, the LM head's and the embedding's left out.
// REQUIRES: 0 <= layer < model.layers.
int64_t LayerParameters(const ModelSpec& model, int64_t layer);

}  // namespace models

#endif  // MODELS_PARAMETERS_H_
