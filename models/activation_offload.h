// Activations that wait for their backward pass in host memory.
//
//   OpGraph graph = OffloadActivations(std::move(graph), offload, 0, 32);
//
// What a layer keeps leaves after its forward pass and returns before its
// backward pass, on the streams between device and host. Double-buffered: a layer
// starts once what the layer two before it keeps has left, and its own returns
// while the layer after it runs backwards. Where fewer layers leave than there
// are, copies may take as long as the layers between let them (Transformer
// Engine, cpu_offload.py, AsyncDoubleBufferGroupOffloadHandler).
#ifndef MODELS_ACTIVATION_OFFLOAD_H_
#define MODELS_ACTIVATION_OFFLOAD_H_

#include <cstdint>

#include "models/op_graph.h"
#include "models/offload.h"

namespace models {

// The graph of a chunk of `layers` layers from `first` on, with copies for the
// first offload.activation_layers of them; itself where that is 0.
OpGraph OffloadActivations(OpGraph graph, const Offload& offload, int64_t first,
                           int64_t layers);

// Layer of the chunk after which what layer `layer` keeps has left: of `layers`,
// the first `offloaded` leave. offloaded = layers: the next one.
int64_t LeftAfter(int64_t layer, int64_t offloaded, int64_t layers);

}  // namespace models

#endif  // MODELS_ACTIVATION_OFFLOAD_H_
