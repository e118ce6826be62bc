// A stack of square linear layers and nothing else: y = x W, layer by layer,
// then perhaps one of another width. The whole training cost is 6 · tokens ·
// parameters FLOPs, less the input gradient of the first layer.
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

Linear Output(const ModelSpec& model) {
  return {.name = "output",
          .data_gradient = "output dgrad",
          .weight_gradient = "output wgrad",
          .in = model.hidden,
          .out = model.linear_outputs,
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

LayerEmitter::HeadTensors LayerEmitter::StackHeadForward(TensorId input,
                                                         TensorId weights) {
  HeadTensors t{.input = input, .norm = input};
  if (model_.linear_outputs > 0) {
    t.logits = Column(Output(model_), input, weights, Holder::kLogits);
  }
  return t;
}

// The loss and its gradient are not part of the stack: the gradient is given.
TensorId LayerEmitter::StackHeadBackward(const HeadTensors& t,
                                         TensorId weights) {
  const TensorId gradient = b_.Input();
  if (model_.linear_outputs == 0) return gradient;
  return ColumnBackward(Output(model_), t.norm, gradient, weights);
}

}  // namespace models
