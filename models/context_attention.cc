// Attention of a context-parallel rank, by kind (context_kind.h), with every
// kernel that Transformer Engine launches around it: attention/
// dot_product_attention/context_parallel.py of release 2.5. Each rank has two
// chunks of a sequence; the rank that is priced has the two in the middle, so
// it sees whole queries and half of the keys that come.
//
//   ring      step 0 causal over its own chunks, each further step over half of
//             another rank's keys while the next keys travel on their own lane;
//             outputs are merged by their log-sum-exp at the end. Backward goes
//             round the other way; gradients of keys follow one step behind.
//   gather    all keys and values are gathered, put in order, and each chunk
//             attends to those before it. Backward scatters their gradients.
//   heads     queries, keys and values are exchanged for whole sequences of few
//             heads, the context back again.
//   PyTorch   torch/distributed/tensor/experimental/_attention.py: gathered
//             once, then the ring's steps; outputs and gradients are summed in
//             FP32 by plain operators, keys are those of all query heads.
#include <algorithm>
#include <utility>
#include <vector>

#include "models/layer_emitter.h"

namespace models {
namespace {

// Of a pass over `read` and `written` bytes that copies or adds.
MemoryBound Traffic(Pointwise kind, sim::Bytes read, sim::Bytes written,
                    int kernels = 1) {
  return {.kind = kind,
          .read = read,
          .written = written,
          .flops = {},
          .kernels = kernels};
}

sim::Bytes Times(double factor, int64_t elements) {
  return sim::Bytes(
      static_cast<int64_t>(factor * static_cast<double>(elements)));
}

}  // namespace

int64_t LayerEmitter::KvElements() const {
  const bool repeated = training_.split.context_kind == ContextKind::kPyTorch;
  return shape_.tokens * (repeated ? shape_.q_width + shape_.context_width
                                   : shape_.kv_width + shape_.value_width);
}

TensorId LayerEmitter::ContextMove(absl::string_view name, CollectiveKind kind,
                                   Axis axis, sim::Bytes bytes,
                                   std::initializer_list<TensorId> reads,
                                   sim::Bytes output) {
  return b_.Add({.work = Collective{.kind = kind,
                                    .axis = axis,
                                    .bytes = bytes,
                                    .dtype = shape_.activation},
                 .name = name},
                reads, output);
}

TensorId LayerEmitter::ContextPass(absl::string_view name, double read,
                                   double written, int64_t elements,
                                   std::initializer_list<TensorId> reads,
                                   sim::Bytes output, Holder holder,
                                   int kernels) {
  return b_.Add(
      {.work = Traffic(models::Pointwise::kResidual, Times(read, elements),
                       Times(written, elements), kernels),
       .name = name},
      reads, output, holder);
}

// ---- Heads for sequences ---------------------------------------------------

// Each tensor is packed, exchanged and put in order; the next one is packed
// while it travels.
// With `joined` bytes, they end in one tensor.
std::vector<TensorId> LayerEmitter::ExchangeHeads(
    const std::vector<std::pair<TensorId, int64_t>>& tensors, Holder holder,
    sim::Bytes joined) {
  std::vector<TensorId> arrived, moved;
  const auto unpack = [&](size_t i) {
    const sim::Bytes bytes = Words(tensors[i].second);
    const bool join = joined > sim::Bytes(0);
    arrived.push_back(
        b_.Add({.work = Traffic(models::Pointwise::kCast, bytes, bytes),
                .name = "cp unpack heads"},
               {moved[i]},
               !join    ? bytes
               : i == 0 ? joined
                        : sim::Bytes(0),
               holder));
    if (join) b_.Writes(arrived[0]);
  };
  for (size_t i = 0; i < tensors.size(); ++i) {
    const sim::Bytes bytes = Words(tensors[i].second);
    const TensorId packed =
        b_.Add({.work = Traffic(models::Pointwise::kCast, bytes, bytes),
                .name = "cp pack heads"},
               {tensors[i].first}, bytes);
    moved.push_back(ContextMove("cp all-to-all", CollectiveKind::kAllToAll,
                                Axis::kContextHeads, bytes, {packed}, bytes));
    if (i > 0) unpack(i - 1);
  }
  unpack(tensors.size() - 1);
  return arrived;
}

// ---- Forward ---------------------------------------------------------------

void LayerEmitter::ContextCore(LayerTensors* t) {
  const bool heads = training_.split.head_ranks() > 1;
  if (heads) {
    t->exchanged = kNoExchange;
    const CoreInputs own = InputsOf(*t);
    const std::vector<TensorId> whole =
        ExchangeHeads({{own.queries, shape_.tokens * shape_.q_width},
                       {own.keys, shape_.tokens * shape_.kv_width},
                       {own.values, shape_.tokens * shape_.value_width}},
                      Holder::kActivations);
    t->exchanged = {whole[0], whole[1], whole[2]};
  }
  const CoreInputs in = InputsOf(*t);
  switch (training_.split.context_kind) {
    case ContextKind::kP2p:
    case ContextKind::kHybrid:
      RingForward(t, false);
      break;
    case ContextKind::kPyTorch:
      RingForward(t, true);
      break;
    case ContextKind::kAllGather:
      GatheredForward(t);
      break;
    case ContextKind::kAllToAll:
      t->context = b_.Add({.work = FusedKernel(false), .name = "attention"},
                          {in.queries, in.keys, in.values},
                          Words(shape_.tokens * shape_.context_width));
      t->statistics = StatisticsOfLast();
      break;
  }
  if (heads) {
    t->context =
        ExchangeHeads({{t->context, shape_.tokens * shape_.context_width}},
                      Holder::kActivations)[0];
  }
}

LayerEmitter::CoreInputs LayerEmitter::InputsOf(const LayerTensors& t) const {
  if (t.exchanged[0] != kNoTensor) {
    return {t.exchanged[0], t.exchanged[1], t.exchanged[2]};
  }
  const TensorId keys = t.keys == kNoTensor ? t.qkv : t.keys;
  return {t.qkv, keys, t.values == kNoTensor ? keys : t.values};
}

TensorId LayerEmitter::StatisticsOfLast() {
  return b_.Also(BytesOf(DType::kFp32, shape_.tokens * shape_.q_heads),
                 Holder::kActivations, "attention statistics");
}

// A step of the ring after the first: half of the keys that came, unmasked.
Attention LayerEmitter::FurtherStep(Attention first) const {
  first.causal = false;
  const double all = first.counted_keys > 0 ? first.counted_keys
                                            : static_cast<double>(first.keys);
  first.counted_keys = all;
  if (first.seen_keys > 0) first.seen_keys = all / 2;
  first.longest /= 2;
  first.keys /= 2;
  return first;
}

// The keys of step `step` + 1 set out when those of `step` are there; PyTorch
// gathers them all at the first step.
TensorId LayerEmitter::NextKeys(int64_t step, TensorId keys, bool pytorch) {
  const sim::Bytes bytes = Words(KvElements());
  if (!pytorch) {
    return ContextMove("cp keys", CollectiveKind::kSendRecv, Axis::kContext,
                       bytes, {keys}, bytes);
  }
  if (step > 0) return keys;
  const sim::Bytes all = bytes * training_.split.ring_ranks();
  return ContextMove("cp gather keys", CollectiveKind::kAllGather,
                     Axis::kContext, all, {keys}, all);
}

void LayerEmitter::RingForward(LayerTensors* t, bool pytorch) {
  const CoreInputs in = InputsOf(*t);
  const Attention first = FusedKernel(false);
  const int64_t steps = training_.split.ring_ranks();
  const int64_t elements = shape_.tokens * shape_.context_width;
  const int64_t rows = shape_.tokens * shape_.q_heads;
  TensorId keys = ContextPass("cp pack keys", bits() / 8, bits() / 8,
                              KvElements(), {in.keys, in.values},
                              Words(KvElements()), Holder::kWorkspace);
  std::vector<TensorId> parts;
  for (int64_t step = 0; step < steps; ++step) {
    const TensorId next =
        step + 1 < steps ? NextKeys(step, keys, pytorch) : kNoTensor;
    parts.push_back(b_.Add(
        {.work = step == 0 ? first : FurtherStep(first), .name = "attention"},
        {in.queries, keys}, Words(elements)));
    if (step == 0) {
      t->statistics = StatisticsOfLast();
      if (pytorch) {
        parts[0] = ContextPass("cp cast", bits() / 8, 4, elements, {parts[0]},
                               Times(4, elements), Holder::kWorkspace);
      }
    } else {
      // log-sum-exp of both, in FP32.
      ContextPass("cp merge statistics", 8, 4, rows,
                  {parts.back(), t->statistics});
      b_.Writes(t->statistics);
    }
    if (pytorch && step > 0) MergeInFp32(parts[0], parts.back());
    keys = next;
  }
  t->context = MergeParts(t->statistics, parts, pytorch);
}

// out - sigmoid(…)·(out - part), four FP32 operators over the output and a
// cast of the part.
void LayerEmitter::MergeInFp32(TensorId out, TensorId part) {
  ContextPass("cp merge", bits() / 8.0 + 8 + 4 + 8, 4 + 4 + 4 + 4,
              shape_.tokens * shape_.context_width, {out, part}, sim::Bytes(0),
              Holder::kWorkspace, 4);
  b_.Writes(out);
}

// Scaled by their log-sum-exps and summed, a kernel for each step.
TensorId LayerEmitter::MergeParts(TensorId statistics,
                                  const std::vector<TensorId>& parts,
                                  bool pytorch) {
  const int64_t elements = shape_.tokens * shape_.context_width;
  const double word = bits() / 8;
  const TensorId context = ContextPass("cp merge", pytorch ? 4 : word, word,
                                       elements, {parts[0], statistics},
                                       Words(elements), Holder::kActivations);
  if (pytorch) return context;
  for (size_t i = 1; i < parts.size(); ++i) {
    ContextPass("cp merge", 2 * word, word, elements,
                {context, parts[i], statistics});
    b_.Writes(context);
  }
  return context;
}

// Of one of the rank's two chunks: the keys up to its end, of which a window
// leaves those it reaches.
Attention LayerEmitter::ChunkKernel(bool backward, int64_t chunk) const {
  Attention kernel = FusedKernel(backward);
  const int64_t half = shape_.sequence / 2;
  kernel.counted_keys = static_cast<double>(training_.sequence_length);
  kernel.queries = half;
  kernel.keys = (chunk + 1) * half;
  kernel.window = WindowOver(training_.sequence_length);
  if (kernel.window == 0) return kernel;
  kernel.keys = std::min(kernel.keys, half + kernel.window - 1);
  if (kernel.window < kernel.keys) return kernel;
  // The window hides nothing here; model FLOPs count what is seen.
  kernel.window = 0;
  kernel.counted_keys =
      static_cast<double>(kernel.keys) - static_cast<double>(half - 1) / 2;
  return kernel;
}

// All keys or values of the group, in the order of the sequence.
TensorId LayerEmitter::GatherKeys(TensorId tensor, int64_t elements) {
  const sim::Bytes all = Words(elements * training_.split.context);
  const TensorId gathered =
      ContextMove("cp gather keys", CollectiveKind::kAllGather, Axis::kContext,
                  all, {tensor}, all);
  return b_.Add({.work = Traffic(models::Pointwise::kCast, all, all),
                 .name = "cp order keys"},
                {gathered}, all);
}

void LayerEmitter::GatheredForward(LayerTensors* t) {
  const int64_t elements = shape_.tokens * shape_.context_width;
  const double word = bits() / 8;
  const CoreInputs in = InputsOf(*t);
  const TensorId keys = GatherKeys(in.keys, shape_.tokens * shape_.kv_width);
  const TensorId values =
      GatherKeys(in.values, shape_.tokens * shape_.value_width);
  const int64_t middle = training_.split.context;
  TensorId parts[2];
  for (int i = 0; i < 2; ++i) {
    parts[i] = b_.Add(
        {.work = ChunkKernel(false, middle - 1 + i), .name = "attention"},
        {in.queries, keys, values}, i == 0 ? Words(elements) : sim::Bytes(0),
        Holder::kActivations);
    if (i == 0) t->statistics = StatisticsOfLast();
  }
  // Both chunks' outputs are kept, and copied to where the projection reads.
  t->parts = parts[0];
  t->context =
      ContextPass("cp join chunks", word, word, elements, {parts[0], parts[1]},
                  Words(elements), Holder::kActivations);
}

// ---- Backward --------------------------------------------------------------

TensorId LayerEmitter::ContextCoreBackward(const LayerTensors& t,
                                           TensorId gradient) {
  const bool heads = training_.split.head_ranks() > 1;
  const int64_t out = shape_.tokens * shape_.context_width;
  TensorId context = t.context;
  if (heads) {
    const std::vector<TensorId> whole =
        ExchangeHeads({{t.context, out}, {gradient, out}}, Holder::kWorkspace);
    context = whole[0];
    gradient = whole[1];
  }
  const CoreInputs in = InputsOf(t);
  TensorId qkv = kNoTensor;
  switch (training_.split.context_kind) {
    case ContextKind::kP2p:
    case ContextKind::kHybrid:
      qkv = RingBackward(t, context, gradient);
      break;
    case ContextKind::kPyTorch:
      qkv = PyTorchRingBackward(t, gradient);
      break;
    case ContextKind::kAllGather:
      qkv = GatheredBackward(t, gradient);
      break;
    case ContextKind::kAllToAll:
      qkv = b_.Add(
          {.work = FusedKernel(true), .name = "attention backward"},
          {in.queries, in.keys, in.values, context, t.statistics, gradient},
          QkvGradient());
      break;
  }
  if (!heads) return qkv;
  return ExchangeHeads({{qkv, shape_.tokens * shape_.q_width},
                        {qkv, shape_.tokens * shape_.kv_width},
                        {qkv, shape_.tokens * shape_.value_width}},
                       Holder::kWorkspace, QkvGradient())[0];
}

sim::Bytes LayerEmitter::QkvGradient() const {
  return Words(shape_.tokens *
               (shape_.q_width + shape_.kv_width + shape_.value_width));
}

// In the ring's last step a rank works on its own keys. Gradients of keys reach
// a rank while it computes its share of them, which it then adds.
TensorId LayerEmitter::RingBackward(const LayerTensors& t, TensorId context,
                                    TensorId gradient) {
  const Attention own = FusedKernel(true);
  const int64_t steps = training_.split.ring_ranks();
  const int64_t kv = KvElements(), queries = shape_.tokens * shape_.q_width;
  const double word = bits() / 8;
  const CoreInputs in = InputsOf(t);
  TensorId keys =
      ContextPass("cp copy keys", word, word, kv, {in.keys, in.values},
                  Words(kv), Holder::kWorkspace);
  TensorId output = kNoTensor, sums = kNoTensor;
  for (int64_t step = 0; step < steps; ++step) {
    const bool last = step + 1 == steps;
    const int64_t moved = step == 0 || last ? kv : 2 * kv;
    const absl::string_view what = step == 0 ? "cp keys"
                                   : last    ? "cp gradients"
                                             : "cp keys and gradients";
    const TensorId arriving =
        ContextMove(what, CollectiveKind::kSendRecv, Axis::kContext,
                    Words(moved), {keys, sums}, Words(moved));
    const TensorId part = b_.Add(
        {.work = last ? own : FurtherStep(own), .name = "attention backward"},
        {in.queries, keys, context, t.statistics, gradient},
        Words(queries + (last ? kv : kv / 2)));
    const TensorId summed = ContextPass(
        "cp sum query gradient", step == 0 ? word : 2 * word, word, queries,
        {part, output}, step == 0 ? QkvGradient() : sim::Bytes(0));
    if (step == 0) output = summed;
    b_.Writes(output);
    // Of keys and of values: two kernels.
    sums = ContextPass("cp sum key gradient", step == 0 ? word : 2 * word, word,
                       last ? kv : kv / 2,
                       {part, step == 0 ? kNoTensor : arriving}, sim::Bytes(0),
                       Holder::kWorkspace, 2);
    keys = arriving;
  }
  b_.Writes(output);
  return output;
}

// Gradients are summed in FP32, copied behind one another and sent on after
// every step.
TensorId LayerEmitter::PyTorchRingBackward(const LayerTensors& t,
                                           TensorId gradient) {
  const Attention own = FusedKernel(true);
  const int64_t steps = training_.split.ring_ranks();
  const int64_t kv = KvElements(), queries = shape_.tokens * shape_.q_width;
  const double word = bits() / 8;
  const CoreInputs in = InputsOf(t);
  TensorId keys =
      ContextPass("cp pack keys", word, word, kv, {in.keys, in.values},
                  Words(kv), Holder::kWorkspace);
  const TensorId output =
      ContextPass("cp zero gradients", 0, 4, queries + kv, {},
                  Times(4, queries + kv), Holder::kWorkspace, 3);
  TensorId arriving = kNoTensor;
  for (int64_t step = 0; step < steps; ++step) {
    const TensorId next =
        step + 1 < steps ? NextKeys(step, keys, true) : kNoTensor;
    const TensorId part =
        b_.Add({.work = step == 0 ? own : FurtherStep(own),
                .name = "attention backward"},
               {in.queries, keys, t.context, t.statistics, gradient},
               Words(queries + (step == 0 ? kv : kv / 2)));
    // Added to half of the keys after the first step, and all copied behind one
    // another.
    const double add = (word + 4) * (step == 0 ? 1 : 0.5);
    const double written = 4 * (step == 0 ? 1 : 0.5);
    const TensorId sums =
        ContextPass("cp sum key gradient", add + (step == 0 ? 4 : 8),
                    written + (step == 0 ? 4 : 8), kv, {part, arriving},
                    Times(4, kv), Holder::kWorkspace, step == 0 ? 3 : 5);
    arriving = ContextMove("cp gradients", CollectiveKind::kSendRecv,
                           Axis::kContext, Times(4, kv), {sums}, Times(4, kv));
    ContextPass("cp sum query gradient", word + 4, 4, queries, {part, output});
    b_.Writes(output);
    keys = next;
  }
  return ContextPass("cp cast gradients", 4, word, queries + kv,
                     {output, arriving}, QkvGradient(), Holder::kWorkspace, 2);
}

TensorId LayerEmitter::GatheredBackward(const LayerTensors& t,
                                        TensorId gradient) {
  const int64_t ranks = training_.split.context;
  const int64_t kv = KvElements(), queries = shape_.tokens * shape_.q_width;
  const double word = bits() / 8;
  const sim::Bytes all = Words(kv * ranks);
  const TensorId sums = ContextPass("cp zero gradients", 0, word, kv * ranks,
                                    {}, all, Holder::kWorkspace, 2);
  const CoreInputs in = InputsOf(t);
  const TensorId keys = GatherKeys(in.keys, shape_.tokens * shape_.kv_width);
  const TensorId values =
      GatherKeys(in.values, shape_.tokens * shape_.value_width);
  TensorId output = kNoTensor;
  for (int i = 0; i < 2; ++i) {
    const Attention kernel = ChunkKernel(true, ranks - 1 + i);
    const int64_t seen =
        kv / shape_.sequence * kernel.keys;  // elements of the keys it reads
    const TensorId part =
        b_.Add({.work = kernel, .name = "attention backward"},
               {in.queries, keys, values, t.parts, t.statistics, gradient},
               Words(queries / 2 + seen));
    const TensorId copied =
        ContextPass("cp join query gradients", word, word, queries / 2, {part},
                    i == 0 ? QkvGradient() : sim::Bytes(0));
    if (i == 0) output = copied;
    b_.Writes(output);
    ContextPass("cp sum key gradients", 2 * word, word, seen, {part, sums},
                sim::Bytes(0), Holder::kWorkspace, 2);
    b_.Writes(sums);
  }
  const TensorId ordered =
      b_.Add({.work = Traffic(models::Pointwise::kCast, all, all, 2),
              .name = "cp order gradients"},
             {sums}, all);
  for (const int64_t width : {shape_.kv_width, shape_.value_width}) {
    ContextMove("cp scatter gradients", CollectiveKind::kReduceScatter,
                Axis::kContext, Words(shape_.tokens * width * ranks), {ordered},
                sim::Bytes(0));
    b_.Writes(output);
  }
  return output;
}

}  // namespace models
