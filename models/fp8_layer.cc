// The kernels around FP8 products, by recipe (fp8_recipe.h).
//
// Hopper multiplies FP8 operands in one layout only, so each operand is needed
// as it lies for one product and transposed for another: an input in the
// forward product and in the weight gradient, a gradient in the input gradient
// and in the weight gradient. Per element of a 16-bit operand:
//
//   kDelayed   cast and transpose in one kernel: reads 2, writes 2; norms write
//              FP8 themselves
//   kCurrent   the largest value first: reads 2; then the same
//   kBlock     one kernel: reads 2, writes 2 and an FP32 scale for each 128
//   kRow       a kernel for each layout: reads 2, writes 1
//
// Under sequence parallelism Transformer Engine casts a rank's own tokens,
// gathers FP8, and transposes what was gathered (transformer_engine/pytorch/
// module/layernorm_linear.py, linear.py); the largest value is over the
// tensor-parallel ranks (with_amax_reduction). torchao's rowwise gathers 16
// bits, but where the gathering is fused with the product (async TP).
#include "models/layer_emitter.h"

namespace models {

bool LayerEmitter::Fp8Here() const {
  return fp8() && !training_.fp8.in_bf16(b_.layer(), model_.layers);
}

DType LayerEmitter::ProductType(const Linear& linear) const {
  return linear.low_precision && (!fp8() || Fp8Here()) ? shape_.matmul
                                                       : shape_.activation;
}

GemmFamily LayerEmitter::ProductFamily(DType dtype) const {
  if (dtype != DType::kFp8) return GemmFamily::kCublas;
  switch (training_.fp8.scaling) {
    case Fp8Scaling::kRow:
      return GemmFamily::kCutlass;
    case Fp8Scaling::kBlock:
      return GemmFamily::kDeepGemm;
    default:
      return GemmFamily::kCublas;
  }
}

bool LayerEmitter::UsesRecipe(const Linear& linear) const {
  return linear.low_precision && Fp8Here() && training_.fp8.stated();
}

bool LayerEmitter::KeepsFp8() const {
  return training_.fp8.library == Fp8Library::kTransformerEngine;
}

// Adapters need 16-bit inputs of all tokens.
bool LayerEmitter::GathersFp8() const {
  return training_.split.sequence && !frozen() &&
         (training_.fp8.scaling != Fp8Scaling::kRow || Pieces() > 1);
}

sim::Bytes LayerEmitter::Fp8Bytes(int64_t elements) const {
  const bool blocks = training_.fp8.scaling == Fp8Scaling::kBlock;
  return BytesOf(DType::kFp8, elements) +
         (blocks ? BytesOf(DType::kFp32, (elements + 127) / 128)
                 : sim::Bytes(0));
}

// One more pass, and its maximum over ranks that divide the tensor.
TensorId LayerEmitter::LargestValue(int64_t elements, TensorId tensor,
                                    bool of_ranks) {
  const TensorId largest =
      b_.Add({.work = Kernel(MemoryBound{
                  .kind = models::Pointwise::kReduction,
                  .read = Words(elements),
                  .written = sim::Bytes(0),
                  .flops = sim::Flops(static_cast<double>(elements))}),
              .name = "amax"},
             {tensor});
  if (!of_ranks || training_.split.tensor == 1) return largest;
  return b_.Add({.work = Collective{.axis = Axis::kTensor,
                                    .bytes = sim::Bytes(4),
                                    .dtype = DType::kFp32},
                 .name = "amax all-reduce"},
                {largest});
}

LayerEmitter::Fp8Tensors LayerEmitter::Cast(absl::string_view name,
                                            int64_t elements, TensorId tensor,
                                            bool both, bool of_ranks,
                                            Holder kept) {
  const Fp8Scaling scaling = training_.fp8.scaling;
  const TensorId largest = scaling == Fp8Scaling::kCurrent
                               ? LargestValue(elements, tensor, of_ranks)
                               : kNoTensor;
  const int layouts = both ? 2 : 1;
  const int kernels = scaling == Fp8Scaling::kRow ? layouts : 1;
  const sim::Bytes bytes = Fp8Bytes(elements);
  Fp8Tensors cast;
  cast.rows = b_.Add(
      {.work = Kernel(MemoryBound{
           .kind = models::Pointwise::kCast,
           .read = Words(elements) * kernels,
           .written = bytes * layouts,
           .flops = sim::Flops(static_cast<double>(elements * layouts)),
           .kernels = kernels}),
       .name = name},
      {tensor, largest}, bytes, both ? Holder::kWorkspace : kept);
  cast.columns = both ? b_.Also(bytes, kept, "transposed") : cast.rows;
  return cast;
}

TensorId LayerEmitter::Transpose(int64_t elements, TensorId tensor) {
  const sim::Bytes bytes = Fp8Bytes(elements);
  return b_.Add({.work = Kernel(MemoryBound{.kind = models::Pointwise::kCast,
                                            .read = bytes,
                                            .written = bytes,
                                            .flops = sim::Flops(0)}),
                 .name = "transpose"},
                {tensor}, bytes);
}

// What a product reads of `rows` rows of an input, and what is kept of it for
// the weight gradient.
TensorId LayerEmitter::CastInput(const Linear& linear, int64_t rows,
                                 TensorId input, bool gathers) {
  const auto made = kept_fp8_.find(input);
  if (made != kept_fp8_.end() && made->second.made_by_norm) return input;
  const bool both = KeepsFp8() && !gathers && !frozen();
  const Holder holder = KeepsFp8() ? Holder::kActivations : Holder::kWorkspace;
  const Fp8Tensors cast = Cast("quantise input", rows * linear.in, input, both,
                               gathers, holder);
  if (KeepsFp8() && !frozen()) {
    kept_fp8_[input] = {.tensor = cast.columns, .transposed = both};
  }
  return cast.rows;
}

// The operand of a weight gradient: gathered and transposed as far as it is not.
TensorId LayerEmitter::InputOfWeightGradient(const Linear& linear,
                                             TensorId input, bool gathers) {
  gathers = gathers && training_.split.sequence;
  if (!UsesRecipe(linear)) return gathers ? Gather(input, linear.in) : input;
  const int64_t elements = RowsOf(linear) * linear.in;
  const auto kept = kept_fp8_.find(input);
  if (kept == kept_fp8_.end()) {
    const TensorId whole = gathers ? Gather(input, linear.in) : input;
    return Cast("quantise input", elements, whole, false, gathers,
                Holder::kWorkspace)
        .columns;
  }
  const KeptFp8 fp8 = kept->second;
  const TensorId whole =
      gathers ? Gather(fp8.tensor, linear.in, DType::kFp8) : fp8.tensor;
  return fp8.transposed ? whole : Transpose(elements, whole);
}

// A gradient that lies whole on this rank, for both products that read it.
LayerEmitter::Fp8Tensors LayerEmitter::CastGradient(const Linear& linear,
                                                    int64_t elements,
                                                    TensorId gradient) {
  if (UsesRecipe(linear)) {
    return Cast("quantise gradient", elements, gradient, !frozen(), false,
                Holder::kWorkspace);
  }
  if (linear.low_precision) {
    gradient = Quantise("quantise gradient", elements, gradient);
  }
  return {gradient, gradient};
}

// The product of a column-parallel layer, or of one whose input is whole.
TensorId LayerEmitter::ColumnProduct(const Linear& linear, TensorId input,
                                     TensorId weights, Holder kept,
                                     TensorId* gathered) {
  const Gemm gemm = Shape(linear, linear.out, linear.in);
  if (!UsesRecipe(linear)) {
    return GatherThenMultiply(gemm, linear.quantise_input, input, weights,
                              linear.name, kept, gathered);
  }
  const bool sequence = training_.split.sequence;
  if (GathersFp8() || !sequence) {
    input = CastInput(linear, sequence ? shape_.shard : shape_.tokens, input,
                      sequence);
    return GatherThenMultiply(gemm, false, input, weights, linear.name, kept,
                              gathered, DType::kFp8);
  }
  *gathered = Gather(input, linear.in);
  const TensorId operand =
      Cast("quantise input", shape_.tokens * linear.in, *gathered, false, true,
           Holder::kWorkspace)
          .rows;
  return Multiply(gemm, linear.name, {operand, weights}, kept);
}

// The input gradient of a row-parallel layer; `gathered` is the gradient as the
// weight gradient reads it.
TensorId LayerEmitter::RowInputGradient(const Linear& linear, TensorId gradient,
                                        TensorId weights, TensorId* gathered) {
  const Gemm gemm = Shape(linear, linear.in, linear.out);
  if (!UsesRecipe(linear)) {
    return GatherThenMultiply(gemm, linear.low_precision, gradient, weights,
                              linear.data_gradient, Holder::kWorkspace,
                              gathered);
  }
  const int64_t all = shape_.tokens * linear.out;
  if (!GathersFp8()) {
    const Fp8Tensors cast =
        Cast("quantise gradient", all, Gather(gradient, linear.out), !frozen(),
             training_.split.sequence, Holder::kWorkspace);
    *gathered = cast.columns;
    return Multiply(gemm, linear.data_gradient, {cast.rows, weights},
                    Holder::kWorkspace);
  }
  const TensorId own = Cast("quantise gradient", shape_.shard * linear.out,
                            gradient, false, true, Holder::kWorkspace)
                           .rows;
  const TensorId output =
      GatherThenMultiply(gemm, false, own, weights, linear.data_gradient,
                         Holder::kWorkspace, gathered, DType::kFp8);
  b_.SetWeightGradient(true);
  *gathered = Transpose(all, *gathered);
  b_.SetWeightGradient(false);
  return output;
}

// A norm whose output only products read writes FP8 itself under kDelayed.
TensorId LayerEmitter::NormBeforeProducts(absl::string_view name,
                                          TensorId input, Holder holder,
                                          bool only_products) {
  if (!only_products || !Fp8Here() || frozen() || model_.parallel_residual ||
      training_.fp8.scaling != Fp8Scaling::kDelayed || !KeepsFp8() ||
      !training_.kernels.fused_norm) {
    return NormForward(name, input, holder);
  }
  const int64_t elements = shape_.shard * model_.hidden;
  MemoryBound work = PointwiseWork(
      rms() ? PointwiseOp::kRmsNormForward : PointwiseOp::kLayerNormForward,
      true, elements, bits(), shape_.shard);
  work.written = Fp8Bytes(elements);
  const TensorId output = b_.Add({.work = Kernel(work), .name = name}, {input},
                                 Fp8Bytes(elements), holder);
  kept_fp8_[output] = {.tensor = output, .made_by_norm = true};
  return output;
}

// Rows of this rank's experts, or their gradients.
TensorId LayerEmitter::CastRows(int64_t elements, TensorId rows) {
  if (!Fp8Here()) return rows;
  if (!training_.fp8.stated()) return Quantise("quantise rows", elements, rows);
  const Fp8Tensors cast =
      Cast("quantise rows", elements, rows, true, false,
           KeepsFp8() ? Holder::kActivations : Holder::kWorkspace);
  if (KeepsFp8()) {
    kept_fp8_[rows] = {.tensor = cast.columns, .transposed = true};
  }
  return cast.rows;
}

TensorId LayerEmitter::RowsOfWeightGradient(int64_t elements, TensorId rows) {
  if (!Fp8Here() || !training_.fp8.stated()) return rows;
  const auto kept = kept_fp8_.find(rows);
  if (kept != kept_fp8_.end()) return kept->second.tensor;
  return Cast("quantise rows", elements, rows, false, false,
              Holder::kWorkspace)
      .columns;
}

}  // namespace models
