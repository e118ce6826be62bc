// The core of attention: from queries, keys and values to the context, and
// back.
//
// Context parallelism is the ring of Liu et al. 2023 as Transformer Engine runs
// it, with the causal load balanced by giving each rank two half-chunks: the
// first step is causal over the rank's own tokens, each further step attends to
// half of another rank's keys while the next keys travel.
#include "models/layer_emitter.h"

namespace models {

void LayerEmitter::Core(LayerTensors* t) {
  if (training_.kernels.fused_attention) {
    FusedCore(t);
  } else {
    MaterialisedCore(t);
  }
}

// To the gradient of queries, keys and values, one tensor.
TensorId LayerEmitter::CoreBackward(const LayerTensors& t, TensorId gradient) {
  return training_.kernels.fused_attention
             ? FusedCoreBackward(t, gradient)
             : MaterialisedCoreBackward(t, gradient);
}

// Keys and values (and, backward, their gradients) go one rank further.
TensorId LayerEmitter::ExchangeKeys(absl::string_view name, TensorId tensor,
                                    bool twice) {
  const sim::Bytes bytes = Words(
      shape_.tokens * (shape_.kv_width + shape_.value_width) * (twice ? 2 : 1));
  return b_.Add({.work = Collective{.kind = CollectiveKind::kSendRecv,
                                    .axis = Axis::kContext,
                                    .bytes = bytes,
                                    .dtype = shape_.activation},
                 .name = name},
                {tensor}, bytes);
}

Attention LayerEmitter::FusedKernel(bool backward) const {
  Attention kernel{.batch = shape_.batch,
                   .heads = shape_.q_heads,
                   .kv_heads = shape_.kv_heads,
                   .queries = shape_.sequence,
                   .keys = shape_.sequence,
                   .head_dim = model_.head_dim,
                   .value_head_dim = shape_.value_head_dim,
                   .backward = backward,
                   .family = training_.kernels.attention,
                   .dtype = shape_.activation};
  const int64_t window = model_.sliding_window;
  const bool windowed = model_.window_in_layer.empty() ||
                        model_.window_in_layer[static_cast<size_t>(b_.layer())];
  if (window > 0 && window < kernel.keys && windowed) kernel.window = window;
  return kernel;
}

// A step of the ring after the first: half of the keys that came, unmasked.
Attention LayerEmitter::FurtherStep(Attention first) const {
  first.causal = false;
  first.ring_half = true;
  first.keys = shape_.sequence / 2;
  return first;
}

void LayerEmitter::FusedCore(LayerTensors* t) {
  const Attention first = FusedKernel(false);
  const int64_t steps = training_.split.context;
  const TensorId values = PadsLatentValues() ? PadValues(t->values) : t->values;
  TensorId keys = t->keys == kNoTensor ? t->qkv : t->keys;
  for (int64_t step = 0; step < steps; ++step) {
    const TensorId next =
        step + 1 < steps ? ExchangeKeys("cp keys", keys, false) : kNoTensor;
    const TensorId out = b_.Add(
        {.work = step == 0 ? first : FurtherStep(first), .name = "attention"},
        {t->qkv, keys, values},
        step == 0
            ? Words(shape_.tokens * (PadsLatentValues() ? shape_.q_width
                                                        : shape_.context_width))
            : sim::Bytes(0),
        Holder::kActivations);
    if (step == 0) {
      t->context = out;
      t->statistics =
          b_.Also(BytesOf(DType::kFp32, shape_.tokens * shape_.q_heads),
                  Holder::kActivations, "attention statistics");
    }
    b_.Writes(t->context);
    keys = next;
  }
  t->values = values;
  if (PadsLatentValues()) {
    t->padded_context = t->context;
    t->context = CutContext(t->padded_context);
  }
}

TensorId LayerEmitter::FusedCoreBackward(const LayerTensors& t,
                                         TensorId gradient) {
  const Attention first = FusedKernel(true);
  const int64_t steps = training_.split.context;
  const int64_t widths =
      shape_.q_width + shape_.kv_width +
      (PadsLatentValues() ? shape_.kv_width : shape_.value_width);
  if (PadsLatentValues()) gradient = PadGradient(gradient);
  TensorId keys = t.keys == kNoTensor ? t.qkv : t.keys, output = kNoTensor;
  for (int64_t step = 0; step < steps; ++step) {
    const TensorId next =
        step + 1 < steps ? ExchangeKeys("cp keys and gradients", keys, true)
                         : kNoTensor;
    const TensorId out =
        b_.Add({.work = step == 0 ? first : FurtherStep(first),
                .name = "attention backward"},
               {t.qkv, PadsLatentValues() ? t.padded_context : t.context,
                t.statistics, gradient, keys, t.values},
               step == 0 ? Words(shape_.tokens * widths) : sim::Bytes(0));
    if (step == 0) output = out;
    b_.Writes(output);
    keys = next;
  }
  return PadsLatentValues() ? CutValueGradient(output) : output;
}

// Megatron's fused kernel works on four matrices of scores at once, and steps
// aside where they are no multiple of that (fused_softmax.py,
// is_kernel_available).
bool LayerEmitter::FusesSoftmax() const {
  return training_.kernels.fused_softmax &&
         shape_.batch * shape_.q_heads % 4 == 0;
}

// Scores are written to memory: batched products around a softmax.
void LayerEmitter::MaterialisedCore(LayerTensors* t) {
  const int64_t heads = shape_.batch * shape_.q_heads;
  const int64_t s = shape_.sequence;
  const int64_t elements = heads * s * s;
  const KernelChoices& kernels = training_.kernels;
  Gemm product{.batch = heads,
               .m = s,
               .n = s,
               .k = model_.head_dim,
               .dtype = shape_.activation,
               .output = shape_.activation};
  TensorId bias = kNoTensor;
  if (model_.positions == Positions::kAlibi) {
    // The scores are added to a bias for each pair of tokens, as the baddbmm of
    // BLOOM does.
    bias = b_.Add({.work = MemoryBound{.kind = models::Pointwise::kCast,
                                       .read = Words(heads * s),
                                       .written = Words(elements),
                                       .flops = {}},
                   .name = "alibi"},
                  {}, Words(elements));
    product.accumulate = true;
  }
  const TensorId scores = b_.Add(
      {.work = product, .name = "attention scores"}, {t->qkv, t->keys, bias},
      bias == kNoTensor ? Words(elements) : sim::Bytes(0));
  if (bias != kNoTensor) b_.Writes(bias);
  t->probabilities = Pointwise("softmax", PointwiseOp::kSoftmaxForward,
                               FusesSoftmax(), elements, {scores, bias},
                               Words(elements), Holder::kActivations);
  t->dropped = t->probabilities;
  if (kernels.dropout > 0) {
    t->dropped = Pointwise("attention dropout", PointwiseOp::kScoreDropout,
                           true, elements, {t->probabilities}, Words(elements),
                           Holder::kActivations);
    t->score_mask = b_.Also(sim::Bytes(elements), Holder::kActivations,
                            "attention dropout mask");
  }
  product.accumulate = false;
  product.n = shape_.value_head_dim;
  product.k = s;
  t->context =
      b_.Add({.work = product, .name = "attention values"},
             {t->dropped, t->values == kNoTensor ? t->qkv : t->values},
             Words(shape_.tokens * shape_.context_width), Holder::kActivations);
}

TensorId LayerEmitter::MaterialisedCoreBackward(const LayerTensors& t,
                                                TensorId gradient) {
  const int64_t heads = shape_.batch * shape_.q_heads;
  const int64_t s = shape_.sequence, d = model_.head_dim;
  const int64_t v = shape_.value_head_dim;
  const int64_t widths = shape_.q_width + shape_.kv_width + shape_.value_width;
  const int64_t elements = heads * s * s;
  const auto product = [&](int64_t m, int64_t n, int64_t k) {
    return Gemm{.batch = heads,
                .m = m,
                .n = n,
                .k = k,
                .dtype = shape_.activation,
                .output = shape_.activation};
  };
  TensorId scores = b_.Add(
      {.work = product(s, s, v), .name = "attention values dgrad"},
      {gradient, t.values == kNoTensor ? t.qkv : t.values}, Words(elements));
  const TensorId output =
      b_.Add({.work = product(s, v, s), .name = "attention values wgrad"},
             {gradient, t.dropped}, Words(shape_.tokens * widths));
  if (training_.kernels.dropout > 0) {
    scores = Pointwise(
        "attention dropout backward", PointwiseOp::kScoreDropoutBackward, true,
        elements, {scores, t.score_mask}, Words(elements), Holder::kWorkspace);
  }
  scores =
      Pointwise("softmax backward", PointwiseOp::kSoftmaxBackward,
                FusesSoftmax(), elements,
                {scores, t.probabilities}, Words(elements), Holder::kWorkspace);
  for (const absl::string_view name :
       {"attention scores dgrad", "attention scores wgrad"}) {
    b_.Add({.work = product(s, d, s), .name = name},
           {scores, t.qkv, t.keys, output});
    b_.Writes(output);
  }
  return output;
}

}  // namespace models
