// Matrix products of a layer and the tensor-parallel collectives around them
// (Shoeybi et al. 2019; sequence parallelism: Korthikanti et al. 2022).
//
//   column-parallel  forward: [gather x] W        backward: dy W^T [reduce]
//   row-parallel     forward: x W [reduce]        backward: [gather dy] W^T
//
// [gather] and [reduce] are an all-gather and a reduce-scatter along the
// sequence under sequence parallelism; without it, nothing and an all-reduce.
#include <optional>

#include "models/data_parallel.h"
#include "models/layer_emitter.h"

namespace models {

Gemm LayerEmitter::Shape(const Linear& linear, int64_t columns,
                         int64_t depth) const {
  const DType dtype = ProductType(linear);
  return {.m = RowsOf(linear),
          .n = columns,
          .k = depth,
          .dtype = dtype,
          .output = shape_.activation,
          .family = ProductFamily(dtype)};
}

int64_t LayerEmitter::Pieces() const {
  return training_.overlap.tensor ? training_.overlap.tensor_chunks : 1;
}

TensorId LayerEmitter::Multiply(const Gemm& gemm, absl::string_view name,
                                std::initializer_list<TensorId> reads,
                                Holder kept) {
  return b_.Add({.work = gemm, .name = name}, reads,
                BytesOf(gemm.output, gemm.m * gemm.n), kept);
}

TensorId LayerEmitter::Quantise(absl::string_view name, int64_t elements,
                                TensorId tensor) {
  if (!Fp8Here()) return tensor;
  return Pointwise(name, PointwiseOp::kQuantise, true, elements, {tensor},
                   BytesOf(DType::kFp8, 2 * elements), Holder::kWorkspace);
}

TensorId LayerEmitter::Gather(TensorId input, int64_t columns,
                              std::optional<DType> travels) {
  if (!training_.split.sequence) return input;
  const DType dtype = travels.value_or(shape_.activation);
  const sim::Bytes bytes = BytesOf(dtype, shape_.tokens * columns);
  return b_.Add({.work = Collective{.kind = CollectiveKind::kAllGather,
                                    .axis = Axis::kTensor,
                                    .bytes = bytes,
                                    .dtype = dtype},
                 .name = "tp all-gather"},
                {input}, bytes, Holder::kWorkspace);
}

TensorId LayerEmitter::Reduce(TensorId partial, int64_t columns, Holder kept) {
  if (training_.split.tensor == 1) return partial;
  const bool scatter = training_.split.sequence;
  const sim::Bytes bytes = Words(shape_.tokens * columns);
  const Collective collective{.kind = scatter ? CollectiveKind::kReduceScatter
                                              : CollectiveKind::kAllReduce,
                              .axis = Axis::kTensor,
                              .bytes = bytes,
                              .dtype = shape_.activation};
  const TensorId scattered = b_.Add(
      {.work = collective,
       .name = scatter ? "tp reduce-scatter" : "tp all-reduce"},
      {partial}, scatter ? Words(shape_.shard * columns) : sim::Bytes(0), kept);
  if (scatter) return scattered;
  b_.Writes(partial);
  return partial;
}

// y = gather(x) W: piece i of the product runs while piece i + 1 of x travels.
TensorId LayerEmitter::GatherThenMultiply(Gemm gemm, bool quantise,
                                          TensorId input, TensorId weights,
                                          absl::string_view name, Holder kept,
                                          TensorId* gathered,
                                          std::optional<DType> travels) {
  const int64_t depth = gemm.k, rows = gemm.m;
  const DType dtype = travels.value_or(shape_.activation);
  if (!training_.split.sequence || Pieces() == 1) {
    *gathered = Gather(input, depth, travels);
    TensorId operand = *gathered;
    if (quantise) {
      operand = Quantise("quantise input", rows * depth, operand);
    }
    return Multiply(gemm, name, {operand, weights}, kept);
  }
  TensorId output = kNoTensor;
  for (int64_t piece = 0; piece < Pieces(); ++piece) {
    gemm.m = rows * (piece + 1) / Pieces() - rows * piece / Pieces();
    const TensorId arrived =
        b_.Add({.work = Collective{.kind = CollectiveKind::kAllGather,
                                   .axis = Axis::kTensor,
                                   .bytes = BytesOf(dtype, gemm.m * depth),
                                   .dtype = dtype},
                .name = "tp all-gather"},
               {input},
               piece == 0 ? BytesOf(dtype, rows * depth) : sim::Bytes(0));
    if (piece == 0) *gathered = arrived;
    const TensorId part = b_.Add(
        {.work = gemm, .name = name}, {arrived, *gathered, weights},
        piece == 0 ? BytesOf(gemm.output, rows * gemm.n) : sim::Bytes(0), kept);
    if (piece == 0) output = part;
    b_.Writes(output);
  }
  return output;
}

// y = reduce(x W): piece i of the sum travels while piece i + 1 is multiplied.
TensorId LayerEmitter::MultiplyThenReduce(Gemm gemm, TensorId input,
                                          TensorId weights,
                                          absl::string_view name, Holder kept,
                                          TensorId addend) {
  const int64_t rows = gemm.m;
  const auto add = [&](TensorId product) {
    if (addend == kNoTensor) return;
    Pointwise("lora gradient add", PointwiseOp::kAdd, true, gemm.m * gemm.n,
              {product, addend}, sim::Bytes(0), Holder::kWorkspace);
    b_.Writes(product);
  };
  if (!training_.split.sequence || Pieces() == 1) {
    // Reduced in place, or into another tensor.
    const Holder holder = training_.split.sequence ? Holder::kWorkspace : kept;
    const TensorId product = Multiply(gemm, name, {input, weights}, holder);
    if (training_.split.sequence) add(product);
    const TensorId reduced = Reduce(product, gemm.n, kept);
    if (!training_.split.sequence) add(reduced);
    return reduced;
  }
  TensorId partial = kNoTensor, output = kNoTensor;
  for (int64_t piece = 0; piece < Pieces(); ++piece) {
    gemm.m = rows * (piece + 1) / Pieces() - rows * piece / Pieces();
    const TensorId part = b_.Add(
        {.work = gemm, .name = name}, {input, weights},
        piece == 0 ? BytesOf(gemm.output, rows * gemm.n) : sim::Bytes(0));
    if (piece == 0) partial = part;
    add(partial);
    const TensorId sum =
        b_.Add({.work = Collective{.kind = CollectiveKind::kReduceScatter,
                                   .axis = Axis::kTensor,
                                   .bytes = Words(gemm.m * gemm.n),
                                   .dtype = shape_.activation},
                .name = "tp reduce-scatter"},
               {part, partial},
               piece == 0 ? Words(shape_.shard * gemm.n) : sim::Bytes(0), kept);
    if (piece == 0) output = sum;
    b_.Writes(output);
  }
  return output;
}

TensorId LayerEmitter::Column(const Linear& linear, TensorId input,
                              TensorId weights, Holder kept,
                              std::vector<AdapterTensors>* adapters) {
  weights = Dequantise(linear, weights);
  TensorId gathered = kNoTensor;
  const TensorId output =
      ColumnProduct(linear, input, weights, kept, &gathered);
  AddAdapters(linear, false, gathered, output, adapters);
  return output;
}

TensorId LayerEmitter::Replicated(const Linear& linear, TensorId input,
                                  TensorId weights) {
  if (UsesRecipe(linear)) {
    input = CastInput(linear, RowsOf(linear), input, false);
  }
  return Multiply(Shape(linear, linear.out, linear.in), linear.name,
                  {input, weights}, Holder::kActivations);
}

TensorId LayerEmitter::ReplicatedBackward(const Linear& linear, TensorId input,
                                          TensorId gradient, TensorId weights) {
  const Fp8Tensors cast =
      CastGradient(linear, RowsOf(linear) * linear.out, gradient);
  const TensorId output =
      Multiply(Shape(linear, linear.in, linear.out), linear.data_gradient,
               {cast.rows, weights}, Holder::kWorkspace);
  WeightGradient(linear, InputOfWeightGradient(linear, input, false),
                 cast.columns);
  return output;
}

TensorId LayerEmitter::Row(const Linear& linear, TensorId input,
                           TensorId weights, Holder kept,
                           std::vector<AdapterTensors>* adapters) {
  weights = Dequantise(linear, weights);
  TensorId operand = input;
  if (UsesRecipe(linear)) {
    operand = CastInput(linear, shape_.tokens, input, false);
  } else if (linear.quantise_input) {
    operand = Quantise("quantise input", shape_.tokens * linear.in, input);
  }
  const TensorId output =
      MultiplyThenReduce(Shape(linear, linear.out, linear.in), operand, weights,
                         linear.name, kept);
  AddAdapters(linear, true, input, output, adapters);
  return output;
}

// The input was kept sharded, so it is gathered once more for the weight
// gradient; that travels under the data gradient, whose own sum travels under
// the weight gradient. A frozen layer has none.
TensorId LayerEmitter::ColumnBackward(
    const Linear& linear, TensorId input, TensorId gradient, TensorId weights,
    const std::vector<AdapterTensors>& adapters) {
  const TensorId branch = AdaptersBackward(linear, false, gradient, adapters);
  if (AdapterComesFirst(linear.site)) return kNoTensor;
  const Fp8Tensors cast =
      CastGradient(linear, shape_.tokens * linear.out, gradient);
  if (frozen()) {
    return MultiplyThenReduce(Shape(linear, linear.in, linear.out), cast.rows,
                              Dequantise(linear, weights), linear.data_gradient,
                              Holder::kWorkspace, branch);
  }
  b_.SetWeightGradient(true);
  const TensorId gathered = InputOfWeightGradient(linear, input, true);
  b_.SetWeightGradient(false);
  const TensorId sum =
      MultiplyThenReduce(Shape(linear, linear.in, linear.out), cast.rows,
                         weights, linear.data_gradient);
  const OpId product = WeightGradient(linear, gathered, cast.columns);
  if (!training_.overlap.tensor_backward && training_.split.tensor > 1) {
    b_.Order(b_.writer(sum), product);
  }
  return sum;
}

TensorId LayerEmitter::RowBackward(
    const Linear& linear, TensorId input, TensorId gradient, TensorId weights,
    const std::vector<AdapterTensors>& adapters) {
  const TensorId branch = AdaptersBackward(linear, true, gradient, adapters);
  if (AdapterComesFirst(linear.site)) return kNoTensor;
  weights = Dequantise(linear, weights);
  TensorId gathered = kNoTensor;
  const TensorId output =
      RowInputGradient(linear, gradient, weights, &gathered);
  if (!frozen()) {
    b_.SetWeightGradient(true);
    const TensorId operand = InputOfWeightGradient(linear, input, false);
    b_.SetWeightGradient(false);
    WeightGradient(linear, operand, gathered);
  }
  if (branch != kNoTensor) {
    Pointwise("lora gradient add", PointwiseOp::kAdd, true,
              shape_.tokens * linear.in, {output, branch}, sim::Bytes(0),
              Holder::kWorkspace);
    b_.Writes(output);
  }
  return output;
}

// The op added last writes a parameter's gradient. Where gradients are sharded
// it is a 16-bit buffer of its own until it is reduced; else it is summed in
// place in the resident gradients.
void LayerEmitter::KeepGradient(int64_t parameters) {
  gradients_.push_back(b_.Also(ShardsGradients(training_)
                                   ? BytesOf(shape_.activation, parameters)
                                   : sim::Bytes(0),
                               Holder::kGradients, "gradient"));
}

// dW = x^T dy. Sharded gradients leave in 16 bits and are reduced each time;
// others are summed into the resident gradients over microbatches: by the
// product itself, or in another kernel that reads the 16-bit product. Returns
// the product's op.
OpId LayerEmitter::WeightGradient(const Linear& linear, TensorId input,
                                  TensorId gradient) {
  const bool stays = !ShardsGradients(training_);
  const DType kept =
      stays && training_.fp32_gradients ? DType::kFp32 : shape_.activation;
  const bool sums = stays && training_.microbatches() > 1;
  const bool apart = sums && !training_.kernels.fused_gradient_sum;
  const int64_t parameters = linear.in * linear.out;
  const Gemm gemm{
      .m = linear.in,
      .n = linear.out,
      .k = RowsOf(linear),
      .dtype = ProductType(linear),
      .output = apart ? shape_.activation : kept,
      .accumulate = sums && !apart,
      .family = ProductFamily(ProductType(linear))};
  const sim::Bytes product =
      apart ? BytesOf(shape_.activation, parameters) : sim::Bytes(0);
  b_.SetWeightGradient(true);
  const TensorId fresh = b_.Add({.work = gemm, .name = linear.weight_gradient},
                                {input, gradient}, product);
  const OpId multiplied = b_.last();
  if (apart) {
    const sim::Bytes sum = BytesOf(kept, parameters);
    b_.Add(
        {.work =
             MemoryBound{.kind = models::Pointwise::kResidual,
                         .read = product + sum,
                         .written = sum,
                         .flops = sim::Flops(static_cast<double>(parameters))},
         .name = "sum gradient"},
        {fresh});
  }
  KeepGradient(parameters);
  if (linear.bias) {
    Pointwise("bias gradient", PointwiseOp::kBiasGradient, true,
              RowsOf(linear) * linear.out, {gradient}, sim::Bytes(0),
              Holder::kWorkspace);
    KeepGradient(linear.out);
  }
  b_.SetWeightGradient(false);
  return multiplied;
}

}  // namespace models
