// The attention half of a layer: norm, QKV, positions, attention, projection.
//
// Context parallelism is the ring of Liu et al. 2023 as Transformer Engine runs
// it, with the causal load balanced by giving each rank two half-chunks: the
// first step is causal over the rank's own tokens, each further step attends to
// half of another rank's keys while the next keys travel.
#include "models/layer_emitter.h"

namespace models {

Linear LayerEmitter::Qkv() const {
  return {.name = "qkv",
          .data_gradient = "qkv dgrad",
          .weight_gradient = "qkv wgrad",
          .in = model_.hidden,
          .out = shape_.q_width + 2 * shape_.kv_width,
          .bias = model_.qkv_bias};
}

Linear LayerEmitter::AttentionOut() const {
  return {.name = "attention out",
          .data_gradient = "attention out dgrad",
          .weight_gradient = "attention out wgrad",
          .in = shape_.q_width,
          .out = model_.hidden,
          .bias = model_.attention_out_bias,
          .quantise_input = true};
}

// From `t->attention_norm` to `t->context`.
void LayerEmitter::AttentionForward(LayerTensors* t, TensorId weights) {
  t->qkv = Column(Qkv(), t->attention_norm, weights, Holder::kActivations);
  if (model_.qk_norm) {
    HeadNorm("query and key norm", PointwiseOp::kRmsNormForward, {t->qkv},
             t->qkv);
    t->head_norm_input =
        b_.Also(Words(shape_.tokens * (shape_.q_width + shape_.kv_width)),
                Holder::kActivations, "query and key norm input");
  }
  if (model_.positions == Positions::kRotary) {
    Pointwise("rotary", PointwiseOp::kRotary, training_.kernels.fused_rotary,
              shape_.tokens * (shape_.q_width + shape_.kv_width), {t->qkv},
              sim::Bytes(0), Holder::kWorkspace);
    b_.Writes(t->qkv);
  }
  if (training_.kernels.fused_attention) {
    FusedCore(t);
  } else {
    MaterialisedCore(t);
  }
}

// From the gradient of the context to the gradient of the attention norm.
TensorId LayerEmitter::AttentionBackward(const LayerTensors& t,
                                         TensorId gradient, TensorId weights) {
  const TensorId qkv = training_.kernels.fused_attention
                           ? FusedCoreBackward(t, gradient)
                           : MaterialisedCoreBackward(t, gradient);
  if (model_.positions == Positions::kRotary) {
    Pointwise("rotary backward", PointwiseOp::kRotary,
              training_.kernels.fused_rotary,
              shape_.tokens * (shape_.q_width + shape_.kv_width), {qkv},
              sim::Bytes(0), Holder::kWorkspace);
    b_.Writes(qkv);
  }
  if (model_.qk_norm) {
    HeadNorm("query and key norm backward", PointwiseOp::kRmsNormBackward,
             {qkv, t.head_norm_input}, qkv);
    KeepGradient(2 * model_.head_dim);
  }
  return ColumnBackward(Qkv(), t.attention_norm, qkv, weights);
}

// RMSNorm over each query and key head of `qkv`.
void LayerEmitter::HeadNorm(absl::string_view name, PointwiseOp op,
                            std::initializer_list<TensorId> reads,
                            TensorId qkv) {
  Pointwise(
      name, op, training_.kernels.fused_norm,
      shape_.tokens * (shape_.q_width + shape_.kv_width), reads, sim::Bytes(0),
      Holder::kWorkspace,
      shape_.tokens * (shape_.q_width + shape_.kv_width) / model_.head_dim);
  b_.Writes(qkv);
}

// Keys and values (and, backward, their gradients) go one rank further.
TensorId LayerEmitter::ExchangeKeys(absl::string_view name, TensorId tensor,
                                    bool twice) {
  const sim::Bytes bytes =
      Words(shape_.tokens * 2 * shape_.kv_width * (twice ? 2 : 1));
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
                   .value_head_dim = model_.head_dim,
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
  TensorId keys = t->qkv;
  for (int64_t step = 0; step < steps; ++step) {
    const TensorId next =
        step + 1 < steps ? ExchangeKeys("cp keys", keys, false) : kNoTensor;
    const TensorId out = b_.Add(
        {.work = step == 0 ? first : FurtherStep(first), .name = "attention"},
        {t->qkv, keys},
        step == 0 ? Words(shape_.tokens * shape_.q_width) : sim::Bytes(0),
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
}

TensorId LayerEmitter::FusedCoreBackward(const LayerTensors& t,
                                         TensorId gradient) {
  const Attention first = FusedKernel(true);
  const int64_t steps = training_.split.context;
  TensorId keys = t.qkv, output = kNoTensor;
  for (int64_t step = 0; step < steps; ++step) {
    const TensorId next =
        step + 1 < steps ? ExchangeKeys("cp keys and gradients", keys, true)
                         : kNoTensor;
    const TensorId out =
        b_.Add({.work = step == 0 ? first : FurtherStep(first),
                .name = "attention backward"},
               {t.qkv, t.context, t.statistics, gradient, keys},
               step == 0 ? Words(shape_.tokens * Qkv().out) : sim::Bytes(0));
    if (step == 0) output = out;
    b_.Writes(output);
    keys = next;
  }
  return output;
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
  const TensorId scores =
      b_.Add({.work = product, .name = "attention scores"}, {t->qkv, bias},
             bias == kNoTensor ? Words(elements) : sim::Bytes(0));
  if (bias != kNoTensor) b_.Writes(bias);
  t->probabilities = Pointwise("softmax", PointwiseOp::kSoftmaxForward,
                               kernels.fused_softmax, elements, {scores, bias},
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
  product.n = model_.head_dim;
  product.k = s;
  t->context = b_.Add(
      {.work = product, .name = "attention values"}, {t->dropped, t->qkv},
      Words(shape_.tokens * shape_.q_width), Holder::kActivations);
}

TensorId LayerEmitter::MaterialisedCoreBackward(const LayerTensors& t,
                                                TensorId gradient) {
  const int64_t heads = shape_.batch * shape_.q_heads;
  const int64_t s = shape_.sequence, d = model_.head_dim;
  const int64_t elements = heads * s * s;
  const auto product = [&](int64_t m, int64_t n, int64_t k) {
    return Gemm{.batch = heads,
                .m = m,
                .n = n,
                .k = k,
                .dtype = shape_.activation,
                .output = shape_.activation};
  };
  TensorId scores =
      b_.Add({.work = product(s, s, d), .name = "attention values dgrad"},
             {gradient, t.qkv}, Words(elements));
  const TensorId output =
      b_.Add({.work = product(s, d, s), .name = "attention values wgrad"},
             {gradient, t.dropped}, Words(shape_.tokens * Qkv().out));
  if (training_.kernels.dropout > 0) {
    scores = Pointwise(
        "attention dropout backward", PointwiseOp::kScoreDropoutBackward, true,
        elements, {scores, t.score_mask}, Words(elements), Holder::kWorkspace);
  }
  scores =
      Pointwise("softmax backward", PointwiseOp::kSoftmaxBackward,
                training_.kernels.fused_softmax, elements,
                {scores, t.probabilities}, Words(elements), Holder::kWorkspace);
  for (const absl::string_view name :
       {"attention scores dgrad", "attention scores wgrad"}) {
    b_.Add({.work = product(s, d, s), .name = name}, {scores, t.qkv, output});
    b_.Writes(output);
  }
  return output;
}

}  // namespace models
