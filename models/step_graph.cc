// What follows the last backward pass: late gradient reductions, the global
// gradient norm, the optimizer, and the gathering of updated weights.
#include <algorithm>

#include "models/data_parallel.h"
#include "models/fp8_weights.h"
#include "models/host_update.h"
#include "models/latent_attention.h"
#include "models/muon.h"
#include "models/optimizer_traffic.h"
#include "models/training_graph.h"
#include "models/weight_matrices.h"

namespace models {
namespace {

// A number that ranks sum before the update, by the names of its operators.
struct Figure {
  absl::string_view sum, receive, send;
};
constexpr Figure kNorm{"sum gradient norm", "receive gradient norm",
                       "send gradient norm"};
constexpr Figure kOverflow{"overflow all-reduce", "receive overflow",
                           "send overflow"};

class StepEmitter {
 public:
  StepEmitter(const ModelSpec& model, const TrainingSpec& training,
              std::span<const Chunk> chunks)
      : model_(model),
        training_(training),
        chunks_(chunks),
        shape_(model, training),
        data_(training, shape_, &b_),
        experts_(training, shape_, &b_, ParameterKind::kExpert) {
    b_.SetPhase(Phase::kStep);
    for (const Chunk& chunk : chunks) parameters_ += shape_.TrainedOf(chunk);
  }

  OpGraph Emit() && {
    data_.ReduceAfterBackward(parameters_.dense);
    experts_.ReduceAfterBackward(parameters_.expert);
    ReduceSharedParameters();
    if (training_.precision == Precision::kFp16) Unscale();
    if (training_.gradient_clipping) ClipGradients();
    Update();
    UpdateOnHost(training_, Offloaded(), &b_);
    CastWeights();
    data_.GatherAfterStep(parameters_.dense);
    experts_.GatherAfterStep(parameters_.expert);
    WaitForHost();
    return std::move(b_).Build().value();
  }

 private:
  // The step ends when the host is done with what it does between steps, which
  // it begins when it has launched this one.
  void WaitForHost() {
    if (training_.host.step_microseconds == 0) return;
    b_.SetHostTime(training_.host.step_microseconds);
    b_.Add({.work = Kernel(MemoryBound{.kind = Pointwise::kReduction,
                                       .read = sim::Bytes(4),
                                       .written = sim::Bytes(4),
                                       .flops = sim::Flops(0)}),
            .name = "next step's first kernel"},
           {});
  }

  DType gradient() const {
    return training_.fp32_gradients ? DType::kFp32 : shape_.activation;
  }

  void AllReduce(absl::string_view name, Axis axis, sim::Bytes bytes,
                 TensorId reads) {
    b_.Add(
        {.work = Collective{.axis = axis, .bytes = bytes, .dtype = gradient()},
         .name = name},
        {reads});
  }

  // Tied embeddings live on the first and last stage; norms and routers are
  // replicated over tensor-parallel ranks, which see different tokens under sequence
  // parallelism.
  void ReduceSharedParameters() {
    if (shape_.frozen) return;
    const Split& split = training_.split;
    const bool ends =
        std::any_of(chunks_.begin(), chunks_.end(),
                    [](const Chunk& c) { return c.embedding || c.head; });
    if (shape_.tied_head_parameters > 0 && !split.ends_meet() && ends) {
      AllReduce("reduce tied embedding", Axis::kEmbedding,
                BytesOf(gradient(), shape_.tied_head_parameters), kNoTensor);
    }
    if (!split.sequence) return;
    int64_t layers = 0, routers = 0;
    for (const Chunk& chunk : chunks_) {
      layers += chunk.layers;
      for (int64_t i = 0; i < chunk.layers; ++i) {
        if (!model_.IsExpertLayer(chunk.first_layer + i)) continue;
        routers += model_.hidden * model_.experts->count;
      }
    }
    const int64_t norms = layers * (model_.norms_per_layer * model_.hidden +
                                    ReplicatedLatentParameters(model_));
    AllReduce("reduce norm gradients", Axis::kTensor,
              BytesOf(gradient(), norms + routers), kNoTensor);
  }

  // Of the optimizer: its share of each kind of parameters.
  int64_t Owned() const {
    const auto share = [](int64_t count, const DataParallel& data) {
      return (count + data.shards() - 1) / data.shards();
    };
    return share(parameters_.dense, data_) + share(parameters_.expert, experts_);
  }

  // Of these, updated by the host.
  int64_t Offloaded() const {
    return data_.OffloadedOf(parameters_.dense) +
           experts_.OffloadedOf(parameters_.expert);
  }

  TensorId SumOn(Axis axis, const Figure& of, TensorId figure) {
    return b_.Add({.work = Collective{.axis = axis,
                                      .bytes = sim::Bytes(4),
                                      .dtype = DType::kFp32},
                   .name = of.sum},
                  {figure});
  }

  // One number, over all ranks that hold other gradients.
  TensorId OverRanks(const Figure& of, TensorId figure) {
    if (data_.shards() > 1) figure = SumOn(data_.shard_axis(), of, figure);
    figure = OverModel(of, figure);
    if (!model_.experts) return figure;
    // Megatron's chained optimizer sums them apart.
    if (experts_.shards() > 1) {
      figure = SumOn(experts_.shard_axis(), of, figure);
    }
    return OverExperts(of, figure);
  }

  // FP16: gradients are divided by the loss scale, and all ranks skip the update
  // where one finds a gradient that is not finite, which the host reads back
  // (Megatron's _unscale_main_grads_and_check_for_nan, torch.amp.GradScaler).
  void Unscale() {
    const int64_t here = Owned() - Offloaded();
    const sim::Bytes bytes = BytesOf(gradient(), here);
    const TensorId found =
        b_.Add({.work = Kernel(MemoryBound{
                    .kind = Pointwise::kReduction,
                    .read = bytes,
                    .written = bytes,
                    .flops = sim::Flops(2 * static_cast<double>(here))}),
                .name = "unscale gradients"},
               {});
    b_.Add({.work = Kernel(MemoryBound{.kind = Pointwise::kReduction,
                                       .read = sim::Bytes(4),
                                       .written = sim::Bytes(4),
                                       .flops = sim::Flops(0)}),
            .name = "read overflow",
            .host_sync = true},
           {OverRanks(kOverflow, found)});
  }

  // What is known of it goes down the stages, each of which adds its own (Qi et
  // al. 2023, section 4).
  TensorId PassDown(const Figure& of, TensorId figure) {
    const auto any = [&](auto holds) {
      return std::any_of(chunks_.begin(), chunks_.end(),
                         [&](const Chunk& c) {
                           return !c.up && !c.vocabulary && holds(c);
                         });
    };
    const bool first =
        any([](const Chunk& c) { return c.embedding || c.from_here; });
    const bool last = any([](const Chunk& c) { return c.head || c.to_here; });
    const auto message = [&](Axis axis, absl::string_view name) {
      return b_.Add({.work = Collective{.kind = CollectiveKind::kSendRecv,
                                        .axis = axis,
                                        .bytes = sim::Bytes(4),
                                        .dtype = DType::kFp32},
                     .name = name},
                    {figure});
    };
    if (!first) figure = message(Axis::kForwardIn, of.receive);
    if (!last) message(Axis::kForwardOut, of.send);
    return figure;
  }

  // Over the ranks that divide the model.
  TensorId OverModel(const Figure& of, TensorId figure) {
    const Split& split = training_.split;
    if (training_.overlap.optimizer_post_validation) {
      if (split.tensor > 1) figure = SumOn(Axis::kTensor, of, figure);
      return split.pipeline > 1 ? PassDown(of, figure) : figure;
    }
    return split.tensor * split.pipeline > 1 ? SumOn(Axis::kModel, of, figure)
                                             : figure;
  }

  TensorId OverExperts(const Figure& of, TensorId figure) {
    const Split& split = training_.split;
    if (training_.overlap.optimizer_post_validation) {
      return split.expert > 1 ? SumOn(Axis::kExpert, of, figure) : figure;
    }
    return split.expert * split.parts_of_expert() * split.pipeline > 1
               ? SumOn(Axis::kExpertModel, of, figure)
               : figure;
  }

  // Global norm: a pass over the gradients, a sum over ranks, a read-back (the
  // host decides on the scale), a pass that scales.
  void ClipGradients() {
    const sim::Bytes bytes = BytesOf(gradient(), Owned());
    const auto count = static_cast<double>(Owned());
    const TensorId norm =
        b_.Add({.work = Kernel(MemoryBound{.kind = Pointwise::kReduction,
                                           .read = bytes,
                                           .written = sim::Bytes(0),
                                           .flops = sim::Flops(2 * count)}),
                .name = "gradient norm"},
               {});
    const TensorId summed = OverRanks(kNorm, norm);
    const int64_t here = Owned() - Offloaded();  // the host clips the rest
    const sim::Bytes clipped = BytesOf(gradient(), here);
    b_.Add({.work = Kernel(MemoryBound{
                .kind = Pointwise::kReduction,
                .read = clipped,
                .written = clipped,
                .flops = sim::Flops(static_cast<double>(here))}),
            .name = "clip gradients",
            .host_sync = !training_.overlap.optimizer_post_validation},
           {summed});
  }

  // A pass over `n` parameters: so many bytes read and written for each.
  TensorId UpdatePass(absl::string_view name, int64_t n, const UpdateTraffic& t,
                      TensorId reads, sim::Bytes output = sim::Bytes(0)) {
    return b_.Add({.work = Kernel(MemoryBound{
                       .kind = Pointwise::kOptimizer,
                       .read = sim::Bytes(t.read * n),
                       .written = sim::Bytes(t.written * n),
                       .flops = sim::Flops(12.0 * static_cast<double>(n)),
                       .kernels = t.kernels}),
                   .name = name},
                  {reads}, output);
  }

  void Update() {
    if (training_.optimizer == Optimizer::kMuon) {
      return EmitMuon(model_, training_, chunks_, data_, experts_, &b_);
    }
    if (training_.optimizer == Optimizer::kAdafactor) SumColumnStatistics();
    const int64_t here = Owned() - Offloaded();
    if (here == 0) return;
    const UpdateTraffic t = TrafficOf(training_, training_.optimizer);
    const StateCopies copies = StateCopiesOf(training_, training_.optimizer);
    TensorId states = kNoTensor;
    if (copies.held > 0) {
      states = UpdatePass("unscale states", here, copies.unscale, kNoTensor,
                          sim::Bytes(copies.held * here));
    }
    UpdatePass("optimizer", here, t, states);
    if (copies.held > 0) {
      UpdatePass("scale states", here, copies.scale, states);
    };
  }

  // FP8 weights are cast from their masters, in place of the 16-bit weights that
  // the update wrote; current scaling finds the largest values first, over the
  // ranks that divide a matrix (Megatron's quantize_param_shard).
  void CastWeights() {
    if (!KeepsFp8Weights(training_)) return;
    const auto share = [](int64_t count, const DataParallel& data) {
      return (count + data.shards() - 1) / data.shards();
    };
    const ParameterCounts all = Fp8Elements(model_, shape_, training_, chunks_);
    const int64_t n = share(all.dense, data_) + share(all.expert, experts_);
    TensorId largest = kNoTensor;
    if (training_.fp8.scaling == Fp8Scaling::kCurrent) {
      largest = b_.Add({.work = Kernel(MemoryBound{
                            .kind = Pointwise::kReduction,
                            .read = BytesOf(DType::kFp32, n),
                            .written = sim::Bytes(0),
                            .flops = sim::Flops(static_cast<double>(n))}),
                        .name = "amax of weights"},
                       {});
      if (data_.shards() > 1) {
        const auto matrices = static_cast<int64_t>(
            MatricesOf(model_, shape_, chunks_).size());
        largest = b_.Add(
            {.work = Collective{.axis = data_.shard_axis(),
                                .bytes = BytesOf(DType::kFp32, matrices),
                                .dtype = DType::kFp32},
             .name = "amax all-reduce"},
            {largest});
      }
    }
    b_.Add({.work = Kernel(MemoryBound{
                .kind = Pointwise::kCast,
                .read = BytesOf(DType::kFp32, n),
                .written = BytesOf(DType::kFp8, n),
                .flops = sim::Flops(static_cast<double>(n))}),
            .name = "quantise weights"},
           {largest});
  }

  // Matrices are sharded by rows, so that a column's mean is over ranks.
  void SumColumnStatistics() {
    const auto sum = [&](const DataParallel& data, int64_t columns) {
      if (data.shards() == 1 || columns == 0) return;
      AllReduce("sum column statistics", data.shard_axis(),
                BytesOf(DType::kFp32, columns), kNoTensor);
    };
    int64_t dense = 0, expert = 0;
    for (const auto& matrices : {MatricesOf(model_, shape_, chunks_),
                                 TablesOf(model_, shape_, chunks_)}) {
      for (const WeightMatrix& m : matrices) {
        (m.expert ? expert : dense) += m.columns;
      }
    }
    sum(data_, dense);
    sum(experts_, expert);
  }

  const ModelSpec& model_;
  const TrainingSpec& training_;
  std::span<const Chunk> chunks_;
  RankShape shape_;
  OpGraphBuilder b_;
  DataParallel data_, experts_;
  ParameterCounts parameters_;
};

}  // namespace

OpGraph BuildStep(const ModelSpec& model, const TrainingSpec& training,
                  std::span<const Chunk> chunks) {
  return StepEmitter(model, training, chunks).Emit();
}

}  // namespace models
