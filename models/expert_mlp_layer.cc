// A layer of experts in the place of the MLP, as Megatron-Core runs it:
//
//   forward   route, permute, dispatch, up, activation, down, combine, weighted
//             sum; beside it the shared expert
//   backward  the same ways back: gradients dispatch and combine, too
//
// How rows travel is in expert_exchange.cc. Token counts are read back by the
// host, which sizes what follows by them, unless experts are padded to their
// capacity.
#include <algorithm>

#include "models/data_parallel.h"
#include "models/layer_emitter.h"

namespace models {
namespace {

// Kernels of the router beside its product, and passes of them over a table of
// tokens by experts in FP32: PyTorch's top-k, softmax, scatters and casts
// (moe_utils.py, topk_routing_with_score_function), its balance loss
// (switch_load_balancing_loss_func) and its z-loss; fused: one kernel each
// (Transformer Engine's fused_router).
struct RouterCost {
  int kernels, passes;
};
RouterCost ForwardCost(const ExpertOptions& o) {
  if (o.fused_router) {
    return {1 + (o.balance_loss ? 2 : 0) + (o.z_loss ? 4 : 0),
            2 + (o.balance_loss ? 2 : 0) + (o.z_loss ? 2 : 0)};
  }
  return {11 + (o.balance_loss ? 9 : 0) + (o.z_loss ? 6 : 0),
          14 + (o.balance_loss ? 7 : 0) + (o.z_loss ? 4 : 0)};
}
RouterCost BackwardCost(const ExpertOptions& o) {
  if (o.fused_router) {
    return {1 + (o.balance_loss ? 2 : 0) + (o.z_loss ? 4 : 0),
            3 + (o.balance_loss ? 2 : 0) + (o.z_loss ? 3 : 0)};
  }
  return {7 + (o.balance_loss ? 7 : 0) + (o.z_loss ? 5 : 0),
          12 + (o.balance_loss ? 6 : 0) + (o.z_loss ? 4 : 0)};
}

}  // namespace

// A layer behind the model's last, which predicts a further token, is like it.
bool LayerEmitter::ExpertsHere() const {
  return model_.IsExpertLayer(
      std::min<int64_t>(b_.layer(), model_.layers - 1));
}

Linear LayerEmitter::SharedUp() const {
  Linear linear = Up();
  linear.name = "shared expert up";
  linear.data_gradient = "shared expert up dgrad";
  linear.weight_gradient = "shared expert up wgrad";
  linear.out = shape_.shared_ffn * (model_.gated_mlp ? 2 : 1);
  linear.bias = false;
  return linear;
}

Linear LayerEmitter::SharedDown() const {
  Linear linear = Down();
  linear.name = "shared expert down";
  linear.data_gradient = "shared expert down dgrad";
  linear.weight_gradient = "shared expert down wgrad";
  linear.in = shape_.shared_ffn;
  linear.bias = false;
  return linear;
}

TensorId LayerEmitter::Grouped(absl::string_view name, int64_t n, int64_t k,
                               TensorId rows, Holder holder) {
  const GroupedGemm gemm{.rows = part_.rows,
                         .n = n,
                         .k = k,
                         .dtype = ProductType({}),
                         .output = shape_.activation,
                         .family = training_.experts.kernels};
  const TensorId operand = CastRows(part_.computed * k, rows);
  return b_.Add({.work = Kernel(gemm), .name = name},
                {operand, expert_weights_}, Words(part_.computed * n), holder);
}

void LayerEmitter::GroupedWeightGradient(absl::string_view name, int64_t n,
                                         int64_t k, TensorId rows,
                                         TensorId gradient) {
  const bool stays = !ShardsGradients(training_, ParameterKind::kExpert);
  const DType kept =
      stays && training_.fp32_gradients ? DType::kFp32 : shape_.activation;
  const bool sums = stays && training_.microbatches() > 1;
  const bool apart = sums && !training_.kernels.fused_gradient_sum;
  const int64_t parameters = shape_.experts * n * k;
  const GroupedGemm gemm{.rows = part_.rows,
                         .n = n,
                         .k = k,
                         .dtype = ProductType({}),
                         .output = apart ? shape_.activation : kept,
                         .weight_gradient = true,
                         .accumulate = sums && !apart,
                         .family = training_.experts.kernels};
  const sim::Bytes product = apart ? Words(parameters) : sim::Bytes(0);
  b_.SetWeightGradient(true);
  const TensorId left = RowsOfWeightGradient(part_.computed * k, rows);
  const TensorId right = RowsOfWeightGradient(part_.computed * n, gradient);
  const TensorId fresh =
      b_.Add({.work = Kernel(gemm), .name = name}, {left, right}, product);
  if (apart) {
    const sim::Bytes sum = BytesOf(kept, parameters);
    b_.Add(
        {.work = Kernel(MemoryBound{
             .kind = models::Pointwise::kResidual,
             .read = product + sum,
             .written = sum,
             .flops = sim::Flops(static_cast<double>(parameters))}),
         .name = "sum gradient"},
        {fresh});
  }
  const int64_t biases = model_.experts->expert_bias ? shape_.experts * n : 0;
  expert_gradients_.push_back(
      b_.Also(stays ? sim::Bytes(0) : Words(parameters + biases),
              Holder::kGradients, "gradient"));
  if (biases > 0) {
    Pointwise("bias gradient", PointwiseOp::kBiasGradient, true,
              part_.computed * n, {gradient}, sim::Bytes(0),
              Holder::kWorkspace);
  }
  b_.SetWeightGradient(false);
}

void LayerEmitter::Route(LayerTensors* t, TensorId weights) {
  const ExpertOptions& o = training_.experts;
  const int64_t table = shape_.shard * model_.experts->count;
  const Gemm gemm{.m = shape_.shard,
                  .n = model_.experts->count,
                  .k = model_.hidden,
                  .dtype = shape_.activation,
                  .output = shape_.activation};
  const TensorId logits =
      Multiply(gemm, "router", {t->mlp_norm, weights}, Holder::kActivations);
  const RouterCost cost = ForwardCost(o);
  const sim::Bytes pass = BytesOf(DType::kFp32, table);
  // Scores in FP32 and the choice, a byte for each expert.
  t->experts.scores = b_.Add(
      {.work = Kernel(MemoryBound{
           .kind = models::Pointwise::kSoftmax,
           .read = pass * (cost.passes / 2),
           .written = pass * (cost.passes - cost.passes / 2),
           .flops = sim::Flops(8.0 * static_cast<double>(table)),
           .kernels = cost.kernels}),
       .name = "choose experts"},
      {logits}, pass + sim::Bytes(table), Holder::kActivations);
  if (o.pad_to_capacity) return;
  TensorId counts = t->experts.scores;
  if (training_.split.expert > 1 && BySender()) {
    counts = b_.Add({.work = Collective{.kind = CollectiveKind::kAllGather,
                                        .axis = Axis::kExpert,
                                        .bytes = sim::Bytes(
                                            8 * model_.experts->count *
                                            training_.split.expert),
                                        .dtype = DType::kFp32},
                     .name = "gather token counts"},
                    {counts});
  }
  b_.Add({.work = Kernel(MemoryBound{.kind = models::Pointwise::kReduction,
                                     .read = sim::Bytes(table),
                                     .written = sim::Bytes(0),
                                     .flops = sim::Flops(0),
                                     .kernels = 3}),
          .name = "read token counts",
          .host_sync = true},
         {counts});
}

void LayerEmitter::RouteBackward(const LayerTensors& t, TensorId gradient,
                                 TensorId weights) {
  const ExpertOptions& o = training_.experts;
  const int64_t table = shape_.shard * model_.experts->count;
  const RouterCost cost = BackwardCost(o);
  const sim::Bytes pass = BytesOf(DType::kFp32, table);
  const TensorId logits = b_.Add(
      {.work = Kernel(MemoryBound{
           .kind = models::Pointwise::kSoftmax,
           .read = pass * (cost.passes - cost.passes / 3),
           .written = pass * (cost.passes / 3),
           .flops = sim::Flops(8.0 * static_cast<double>(table)),
           .kernels = cost.kernels}),
       .name = "choose experts backward"},
      {t.experts.scores, gradient}, Words(table), Holder::kWorkspace);
  // Summed into the gradient of the rows: no tensor of its own.
  const Gemm product{.m = shape_.shard,
                     .n = model_.hidden,
                     .k = model_.experts->count,
                     .dtype = shape_.activation,
                     .output = shape_.activation,
                     .accumulate = true};
  b_.Add({.work = product, .name = "router dgrad"}, {logits, weights});
  b_.Writes(gradient);
  WeightGradient({.name = "router",
                  .data_gradient = "router dgrad",
                  .weight_gradient = "router wgrad",
                  .in = model_.hidden,
                  .out = model_.experts->count,
                  .low_precision = false,
                  .replicated = true},
                 t.mlp_norm, logits);
}

TensorId LayerEmitter::SharedExpertUp(LayerTensors* t, TensorId weights) {
  ExpertTensors& e = t->experts;
  e.shared_up = Column(SharedUp(), t->mlp_norm, weights, Holder::kActivations);
  e.shared_activated =
      Activate(e.shared_up, kNoTensor, shape_.tokens * shape_.shared_ffn,
               Holder::kActivations);
  return e.shared_activated;
}

TensorId LayerEmitter::SharedExpertDown(LayerTensors* t, TensorId weights) {
  ExpertTensors& e = t->experts;
  const bool gate = model_.experts->shared_gate;
  e.shared_output = Row(SharedDown(), e.shared_activated, weights,
                        gate ? Holder::kActivations : Holder::kWorkspace);
  if (!gate) return e.shared_output;
  // A product of one column, a sigmoid, and the sum's share.
  const int64_t elements = shape_.shard * model_.hidden;
  return Pointwise("shared expert gate", PointwiseOp::kGatedForward,
                   training_.kernels.fused_activation, elements,
                   {e.shared_output, t->mlp_norm}, Words(elements),
                   Holder::kWorkspace);
}

TensorId LayerEmitter::SharedExpertDownBackward(const LayerTensors& t,
                                                TensorId gradient,
                                                TensorId weights) {
  const ExpertTensors& e = t.experts;
  const int64_t elements = shape_.shard * model_.hidden;
  if (model_.experts->shared_gate) {
    gradient = Pointwise("shared expert gate backward",
                         PointwiseOp::kGatedBackward,
                         training_.kernels.fused_activation, elements,
                         {gradient, e.shared_output, t.mlp_norm},
                         Words(elements), Holder::kWorkspace);
    KeepGradient(model_.hidden);
  }
  const TensorId activated =
      RowBackward(SharedDown(), e.shared_activated, gradient, weights);
  return ActivateBackward(e.shared_up, kNoTensor, activated,
                          shape_.tokens * shape_.shared_ffn);
}

// From `t->mlp_norm` to the branch that the residual takes.
void LayerEmitter::ExpertForward(LayerTensors* t, TensorId weights) {
  ExpertTensors& e = t->experts;
  const bool shared = shape_.shared_ffn > 0;
  const bool under = shared && training_.overlap.shared_expert;
  const Holder branch =
      post_norms() ? Holder::kActivations : Holder::kWorkspace;
  TensorId beside = kNoTensor;
  if (shared && !under) {
    SharedExpertUp(t, weights);
    beside = SharedExpertDown(t, weights);
  }
  Route(t, weights);
  TensorId rows = t->mlp_norm;
  if (BySender()) {
    rows = RowPass("permute", shape_.shard, experts_.sent(), PermuteKernels(),
                   {rows, e.scores},
                   Exchanges() ? Holder::kWorkspace : Holder::kActivations);
  }
  rows = Dispatch("dispatch", rows, Holder::kActivations);
  if (under) SharedExpertUp(t, weights);
  e.rows = Arrange("permute", rows, Holder::kActivations);
  const TensorId out = ArrangeBack("unpermute", ExpertProducts(t));
  t->mlp_branch = Combine("combine", out, branch);
  if (under) beside = SharedExpertDown(t, weights);
  if (BySender()) {
    t->mlp_branch =
        RowPass("unpermute", experts_.sent(), shape_.shard, PermuteKernels(),
                {t->mlp_branch, e.scores}, branch);
  }
  if (shared) Add("shared expert sum", t->mlp_branch, beside);
}

// From the rows of this rank's experts to their outputs.
TensorId LayerEmitter::ExpertProducts(LayerTensors* t) {
  ExpertTensors& e = t->experts;
  const int64_t ffn = shape_.expert_ffn;
  e.up = Grouped("experts up", ffn * (model_.gated_mlp ? 2 : 1), model_.hidden,
                 e.rows, Holder::kActivations);
  e.activated = Activate(e.up, kNoTensor, part_.computed * ffn,
                         training_.experts.recompute_activation
                             ? Holder::kWorkspace
                             : Holder::kActivations);
  return Grouped("experts down", model_.hidden, ffn, e.activated,
                 Holder::kWorkspace);
}

// From the gradient of their outputs to that of their rows.
TensorId LayerEmitter::ExpertProductsBackward(const LayerTensors& t,
                                       TensorId gradient) {
  const ExpertTensors& e = t.experts;
  const int64_t h = model_.hidden, ffn = shape_.expert_ffn;
  const int64_t wide = ffn * (model_.gated_mlp ? 2 : 1);
  TensorId activated = e.activated;
  if (training_.experts.recompute_activation &&
      recompute_ != Recompute::kFull) {
    b_.SetRecompute(true);
    activated =
        Activate(e.up, kNoTensor, part_.computed * ffn, Holder::kWorkspace);
    b_.SetRecompute(false);
  }
  const TensorId inner =
      Grouped("experts down dgrad", ffn, h, gradient, Holder::kWorkspace);
  GroupedWeightGradient("experts down wgrad", h, ffn, activated, gradient);
  const TensorId up =
      ActivateBackward(e.up, kNoTensor, inner, part_.computed * ffn);
  const TensorId rows =
      Grouped("experts up dgrad", h, wide, up, Holder::kWorkspace);
  GroupedWeightGradient("experts up wgrad", wide, h, e.rows, up);
  return rows;
}

// From the gradient of the branch to that of the MLP's norm.
TensorId LayerEmitter::ExpertBackward(const LayerTensors& t, TensorId branch,
                                      TensorId weights) {
  const bool shared = shape_.shared_ffn > 0;
  const bool under = shared && training_.overlap.shared_expert;
  TensorId up = kNoTensor, beside = kNoTensor;
  const auto shared_down = [&] {
    up = SharedExpertDownBackward(t, branch, weights);
  };
  const auto shared_up = [&] {
    beside = ColumnBackward(SharedUp(), t.mlp_norm, up, weights);
  };
  if (shared && !under) {
    shared_down();
    shared_up();
  }
  TensorId rows = branch;
  if (BySender()) {
    rows = RowPass("unpermute backward", shape_.shard, experts_.sent(),
                   PermuteKernels(), {rows, t.experts.scores},
                   Holder::kWorkspace);
  }
  rows = Dispatch("dispatch gradients", rows, Holder::kWorkspace);
  if (under) shared_down();
  rows = Arrange("unpermute backward", rows, Holder::kWorkspace);
  rows = ArrangeBack("permute backward", ExpertProductsBackward(t, rows));
  rows = Combine("combine gradients", rows, Holder::kWorkspace);
  if (under) shared_up();
  if (BySender()) {
    rows = RowPass("permute backward", experts_.sent(), shape_.shard,
                   PermuteKernels(), {rows}, Holder::kWorkspace);
  }
  RouteBackward(t, rows, weights);
  if (shared) Add("shared expert gradient", rows, beside);
  return rows;
}

}  // namespace models
