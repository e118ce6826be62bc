// Adapters beside the linear layers of a layer (models/adapters.h), and frozen
// weights stored in four bits.
//
//   column-parallel  forward: [gathered x] A, gather columns, B
//   row-parallel     forward: x A, sum, B, gather columns [take own tokens]
//
// [..] under sequence parallelism. The gradient of what comes before an adapter
// is added to that of its linear layer before the two are reduced together
// (Transformer Engine's return_layernorm_output_gathered); without sequence
// parallelism each is reduced by itself (Megatron's ColumnParallelLinear).
#include "models/layer_emitter.h"

namespace models {
namespace {

// The two thin products of an adapter, as linear layers of their own. NeMo's are
// Megatron's own, outside of Transformer Engine: 16-bit in FP8 training.
Linear LowOf(const Adapter& a) {
  return {.name = "lora A",
          .data_gradient = "lora A dgrad",
          .weight_gradient = "lora A wgrad",
          .in = a.in,
          .out = a.low,
          .low_precision = false};
}

Linear HighOf(const Adapter& a) {
  return {.name = "lora B",
          .data_gradient = "lora B dgrad",
          .weight_gradient = "lora B wgrad",
          .in = a.rank,
          .out = a.out,
          .low_precision = false};
}

}  // namespace

bool LayerEmitter::AdapterComesFirst(LinearSite site) const {
  return !input_gradient_ && FirstAdapted(training_.lora) == site;
}

TensorId LayerEmitter::TensorCollective(CollectiveKind kind,
                                        absl::string_view name,
                                        int64_t elements, TensorId reads,
                                        sim::Bytes output) {
  return b_.Add({.work = Collective{.kind = kind,
                                    .axis = Axis::kTensor,
                                    .bytes = Words(elements),
                                    .dtype = shape_.activation},
                 .name = name},
                {reads}, output);
}

// Reads and writes `elements` words in one kernel: scaling, and copies of parts
// that came by rank into the order of the tensor.
TensorId LayerEmitter::Pass(absl::string_view name, int64_t elements,
                            TensorId tensor, Holder holder) {
  return b_.Add({.work = MemoryBound{.kind = models::Pointwise::kCast,
                                     .read = Words(elements),
                                     .written = Words(elements),
                                     .flops = sim::Flops(
                                         static_cast<double>(elements))},
                 .name = name},
                {tensor}, Words(elements), holder);
}

TensorId LayerEmitter::DropForAdapter(int64_t elements, TensorId input,
                                      TensorId* mask) {
  if (training_.lora.dropout <= 0) return input;
  const TensorId dropped = b_.Add(
      {.work = MemoryBound{.kind = models::Pointwise::kResidual,
                           .read = Words(elements),
                           .written = Words(elements) + sim::Bytes(elements),
                           .flops = sim::Flops(static_cast<double>(elements))},
       .name = "lora dropout"},
      {input}, Words(elements), Holder::kActivations);
  *mask = b_.Also(sim::Bytes(elements), Holder::kActivations, "dropout mask");
  return dropped;
}

// output += B (A x) · s for each adapter of `linear`; `input` is what the linear
// layer multiplied: all tokens beside a column-parallel layer.
void LayerEmitter::AddAdapters(const Linear& linear, bool row, TensorId input,
                               TensorId output,
                               std::vector<AdapterTensors>* kept) {
  const LoraSpec& lora = training_.lora;
  const int64_t tensor = training_.split.tensor;
  for (const Adapter& a : linear.adapters) {
    AdapterTensors t{.input = input};
    if (!lora.dropout_after) {
      t.input = DropForAdapter(shape_.tokens * a.in, input, &t.mask);
    }
    const int64_t lows = shape_.tokens * a.rank;
    TensorId low = Multiply(Shape(LowOf(a), a.low, a.in), "lora A", {t.input},
                            Holder::kWorkspace);
    if (tensor > 1 && row) {
      TensorCollective(CollectiveKind::kAllReduce, "tp all-reduce", lows, low,
                       sim::Bytes(0));
      b_.Writes(low);
    } else if (tensor > 1) {
      low = TensorCollective(CollectiveKind::kAllGather, "tp all-gather", lows,
                             low, Words(lows));
      low = Pass("lora unpack", lows, low, Holder::kWorkspace);
    }
    t.low = Pass("lora scale", lows, low, Holder::kActivations);
    TensorId high = Multiply(Shape(HighOf(a), a.out, a.rank), "lora B",
                             {t.low}, Holder::kWorkspace);
    int64_t elements = shape_.tokens * a.out;
    if (row && tensor > 1) {
      elements = shape_.shard * model_.hidden;
      high = SpreadRows(high);
    }
    if (lora.dropout_after) high = DropForAdapter(elements, high, &t.mask);
    Pointwise("lora add", PointwiseOp::kAdd, true, elements, {output, high},
              sim::Bytes(0), Holder::kWorkspace);
    b_.Writes(output);
    kept->push_back(t);
  }
}

// From [all tokens, own columns] to the columns of the row-parallel layer's
// output: all columns of all tokens, or of the rank's own.
TensorId LayerEmitter::SpreadRows(TensorId high) {
  const int64_t all = shape_.tokens * model_.hidden;
  const int64_t own = all / training_.split.tensor;
  if (training_.split.sequence && training_.lora.all_to_all) {
    const TensorId came = TensorCollective(CollectiveKind::kAllToAll,
                                           "tp all-to-all", own, high,
                                           Words(own));
    return Pass("lora unpack", own, came, Holder::kWorkspace);
  }
  const TensorId came = TensorCollective(CollectiveKind::kAllGather,
                                         "tp all-gather", all, high,
                                         Words(all));
  return Pass("lora unpack", all, came, Holder::kWorkspace);
}

// The gradient of [all tokens, own columns] from that of the output of a
// row-parallel layer, of all tokens where `gradient` already is.
TensorId LayerEmitter::CollectRows(TensorId gradient) {
  if (training_.split.tensor == 1) return gradient;
  const int64_t all = shape_.tokens * model_.hidden;
  const int64_t own = all / training_.split.tensor;
  TensorId whole = gradient;
  if (training_.split.sequence && training_.lora.all_to_all) {
    whole = TensorCollective(CollectiveKind::kAllToAll, "tp all-to-all", own,
                             gradient, Words(own));
  } else if (training_.split.sequence) {
    whole = TensorCollective(CollectiveKind::kAllGather, "tp all-gather", all,
                             gradient, Words(all));
  }
  return Pass("lora unpack", own, whole, Holder::kWorkspace);
}

// Gradients of the adapters of `linear`; returns that of its input, summed over
// the adapters, or kNoTensor where nothing before them trains.
TensorId LayerEmitter::AdaptersBackward(
    const Linear& linear, bool row, TensorId gradient,
    const std::vector<AdapterTensors>& kept) {
  const LoraSpec& lora = training_.lora;
  const bool needed = !AdapterComesFirst(linear.site);
  TensorId input = kNoTensor;
  for (size_t i = 0; i < kept.size(); ++i) {
    const Adapter& a = linear.adapters[i];
    const AdapterTensors& t = kept[i];
    const int64_t lows = shape_.tokens * a.rank;
    TensorId high = gradient;
    if (lora.dropout_after) {
      const int64_t out = row ? shape_.shard * model_.hidden
                              : shape_.tokens * a.out;
      high = ResidualDropBackward(out, high, t.mask);
    }
    if (row) high = CollectRows(high);
    const TensorId low =
        Multiply(Shape(HighOf(a), a.rank, a.out), "lora B dgrad", {high},
                 Holder::kWorkspace);
    if (training_.split.tensor > 1) {
      TensorCollective(CollectiveKind::kAllReduce, "tp all-reduce", lows, low,
                       sim::Bytes(0));
      b_.Writes(low);
    }
    WeightGradient(HighOf(a), t.low, high);
    const TensorId scaled =
        Pass("lora scale backward", lows, low, Holder::kWorkspace);
    TensorId branch = kNoTensor;
    if (needed) {
      branch = Multiply(Shape(LowOf(a), a.in, a.low), "lora A dgrad", {scaled},
                        Holder::kWorkspace);
    }
    WeightGradient(LowOf(a), t.input, scaled);
    if (!needed) continue;
    const int64_t elements = shape_.tokens * a.in;
    if (!lora.dropout_after) {
      branch = ResidualDropBackward(elements, branch, t.mask);
    }
    if (!row && training_.split.tensor > 1 && !training_.split.sequence) {
      TensorCollective(CollectiveKind::kAllReduce, "tp all-reduce", elements,
                       branch, sim::Bytes(0));
      b_.Writes(branch);
    }
    if (input == kNoTensor) {
      input = branch;
      continue;
    }
    Pointwise("lora gradient add", PointwiseOp::kAdd, true, elements,
              {input, branch}, sim::Bytes(0), Holder::kWorkspace);
    b_.Writes(input);
  }
  return input;
}

TensorId LayerEmitter::ResidualDropBackward(int64_t elements, TensorId gradient,
                                            TensorId mask) {
  if (mask == kNoTensor) return gradient;
  return Pointwise("lora dropout backward", PointwiseOp::kDropoutBackward, true,
                   elements, {gradient, mask}, Words(elements),
                   Holder::kWorkspace);
}

// The 16-bit weights of `linear`, made anew from four bits before its product
// (bitsandbytes' MatMul4Bit does so in either pass). With double quantisation
// the scales are made first: one kernel reads them, one adds their offset.
TensorId LayerEmitter::Dequantise(const Linear& linear, TensorId weights) {
  const LoraSpec& lora = training_.lora;
  if (!lora.nf4 || linear.site == LinearSite::kOther) return weights;
  const int64_t count = linear.in * linear.out;
  const auto scales = static_cast<double>(count) / 64;
  const double stored =
      static_cast<double>(count) * Nf4BytesPerWeight(lora.double_quant);
  // FP32 scales written, read by the addition, written and read once more.
  const double again = lora.double_quant ? 4 * scales : 0;
  return b_.Add(
      {.work = MemoryBound{.kind = models::Pointwise::kCast,
                           .read = sim::Bytes(
                               static_cast<int64_t>(stored + 2 * again)),
                           .written = Words(count) +
                                      sim::Bytes(static_cast<int64_t>(2 * again)),
                           .flops = sim::Flops(static_cast<double>(count)),
                           .kernels = lora.double_quant ? 3 : 1},
       .name = "dequantise weights"},
      {weights}, Words(count));
}

}  // namespace models
