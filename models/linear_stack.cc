// A stack of square linear layers and nothing else: y = x W, layer by layer.
// The whole training cost is 6 · tokens · parameters FLOPs, less the input
// gradient of the first layer.
#include "models/layer_emitter.h"

namespace models {
namespace {

Linear Square(int64_t width) {
  return {.name = "linear",
          .data_gradient = "linear dgrad",
          .weight_gradient = "linear wgrad",
          .in = width,
          .out = width,
          .quantise_input = true};
}

}  // namespace

LayerTensors LayerEmitter::StackForward(TensorId input, TensorId weights) {
  LayerTensors t{.input = input};
  t.output =
      Column(Square(model_.hidden), input, weights, Holder::kActivations);
  return t;
}

TensorId LayerEmitter::StackBackward(const LayerTensors& kept,
                                     TensorId gradient, TensorId weights) {
  const Linear linear = Square(model_.hidden);
  if (b_.layer() == 0) {
    WeightGradient(linear, kept.input, gradient);
    return gradient;
  }
  return ColumnBackward(linear, kept.input, gradient, weights);
}

}  // namespace models
