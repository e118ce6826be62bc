// The core of attention: from queries, keys and values to the context, and
// back.
#include <algorithm>

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

// Keys that a query of this layer sees at most; 0: all of `keys`.
int64_t LayerEmitter::WindowOver(int64_t keys) const {
  const int64_t window = model_.sliding_window;
  const bool windowed = model_.window_in_layer.empty() ||
                        model_.window_in_layer[static_cast<size_t>(b_.layer())];
  return window > 0 && window < keys && windowed ? window : 0;
}

// Over a rank's own queries and keys: of all its heads, or of few heads the
// whole sequences.
Attention LayerEmitter::FusedKernel(bool backward) const {
  const Split& split = training_.split;
  const int64_t share = split.head_ranks();
  const bool repeated =
      split.context > 1 && split.context_kind == ContextKind::kPyTorch;
  Attention kernel{
      .batch = shape_.batch,
      .heads = shape_.q_heads / share,
      .kv_heads = repeated ? shape_.q_heads : shape_.kv_heads / share,
      .queries = shape_.sequence * share,
      .keys = shape_.sequence * share,
      .head_dim = model_.head_dim,
      .value_head_dim = shape_.value_head_dim,
      .backward = backward,
      .family = training_.kernels.attention,
      .dtype = shape_.activation};
  kernel.window = WindowOver(kernel.keys);
  return training_.sequences.blocks() ? Packed(kernel) : kernel;
}

// The same over a row of sequences that each attend to themselves, each of
// which a context-parallel ring divides.
Attention LayerEmitter::Packed(Attention kernel) const {
  const Sequences& s = training_.sequences;
  const auto ring = static_cast<double>(training_.split.ring_ranks());
  kernel.queries *= kernel.batch;
  kernel.keys = kernel.queries;
  kernel.batch = 1;
  const int64_t window = WindowOver(s.Longest());
  kernel.window = 0;
  kernel.counted_keys =
      s.fill * (window > 0 ? s.VisibleKeys(window) : s.Keys());
  kernel.counted_keys /= ring;
  kernel.seen_keys =
      s.fill * (training_.split.ring_ranks() > 1 ? (s.Keys() / ring + 1) / 2
                                                 : s.VisibleKeys(window));
  kernel.longest = s.Longest() / training_.split.ring_ranks();
  if (window > 0) kernel.longest = std::min(kernel.longest, window);
  kernel.sequences =
      static_cast<double>(kernel.queries) * ring * s.fill / s.Mean();
  return kernel;
}

void LayerEmitter::FusedCore(LayerTensors* t) {
  if (training_.split.context > 1) return ContextCore(t);
  const bool pads = PadsLatentValues();
  if (pads) t->values = PadValues(t->values);
  t->context = b_.Add(
      {.work = FusedKernel(false), .name = "attention"},
      {t->qkv, t->keys, t->values},
      Words(shape_.tokens * (pads ? shape_.q_width : shape_.context_width)),
      Holder::kActivations);
  t->statistics = StatisticsOfLast();
  if (pads) {
    t->padded_context = t->context;
    t->context = CutContext(t->padded_context);
  }
}

TensorId LayerEmitter::FusedCoreBackward(const LayerTensors& t,
                                         TensorId gradient) {
  if (training_.split.context > 1) return ContextCoreBackward(t, gradient);
  const bool pads = PadsLatentValues();
  const int64_t widths = shape_.q_width + shape_.kv_width +
                         (pads ? shape_.kv_width : shape_.value_width);
  if (pads) gradient = PadGradient(gradient);
  const TensorId output =
      b_.Add({.work = FusedKernel(true), .name = "attention backward"},
             {t.qkv, pads ? t.padded_context : t.context, t.statistics,
              gradient, t.keys, t.values},
             Words(shape_.tokens * widths));
  return pads ? CutValueGradient(output) : output;
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
