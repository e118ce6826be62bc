#include "models/training_graph.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "models/activation_offload.h"
#include "models/data_parallel.h"
#include "models/fp8_weights.h"
#include "models/host_update.h"
#include "models/layer_emitter.h"
#include "models/optimizer_traffic.h"

namespace models {
namespace {

// Emits one chunk: its layers, the ends of the model if it has them, messages
// to its neighbours, and the data-parallel communication around the layers.
class ChunkEmitter {
 public:
  ChunkEmitter(const ModelSpec& model, const TrainingSpec& training,
               const Chunk& chunk, size_t part)
      : model_(model),
        training_(training),
        chunk_(chunk),
        layers_(model, training, &b_, part),
        data_(training, layers_.shape(), &b_),
        experts_(training, layers_.shape(), &b_, ParameterKind::kExpert),
        kept_(static_cast<size_t>(chunk.layers)),
        weights_(kept_.size(), kNoTensor),
        expert_weights_(kept_.size(), kNoTensor),
        mtp_weights_(static_cast<size_t>(model.mtp_depth), kNoTensor),
        mtp_expert_weights_(mtp_weights_.size(), kNoTensor),
        ends_(kept_.size(), kNoTensor) {}

  OpGraph Emit() && {
    b_.SetPhase(Phase::kForward);
    const ParameterCounts trained = shape().TrainedOf(chunk_);
    UpdateUnderForward(training_,
                       data_.OffloadedOf(trained.dense) +
                           experts_.OffloadedOf(trained.expert),
                       &b_);
    Forward();
    b_.SetPhase(Phase::kBackward);
    Backward();
    return std::move(b_).Build().value();  // ids only point backwards
  }

 private:
  const RankShape& shape() const { return layers_.shape(); }
  // Whether what follows is the stages' shares of the head.
  bool ends_in_share() const {
    return chunk_.to_here &&
           training_.split.vocabulary != VocabularySplit::kNone;
  }
  // Of layer `i` of the chunk.
  ParameterCounts LayerParameters(size_t i) const {
    return shape().LayerParameters(chunk_.first_layer +
                                   static_cast<int64_t>(i));
  }

  ParameterCounts Trained(size_t i) const {
    return shape().TrainedInLayer(chunk_.first_layer + static_cast<int64_t>(i));
  }

  // Of parameters of the ends, those that train.
  int64_t TrainedEnds(int64_t ends) const { return shape().TrainedEnds(ends); }
  // Whether nothing before layer `i` of the chunk trains. A layer that is
  // recomputed whole needs an input with a gradient all the same (Megatron-Bridge
  // maybe_enable_recompute_inputs_grad), as do activations that came as messages.
  bool EndsGradients(size_t i) const {
    return shape().frozen && chunk_.embedding && i == 0 &&
           training_.recompute != Recompute::kFull;
  }

  // Of the ends of the model that this chunk has. A tied table counts at the
  // embedding where both are here.
  int64_t RootParameters() const { return shape().EndsOf(chunk_); }
  int64_t EmbeddingParameters() const {
    return chunk_.embedding ? shape().embedding_parameters : 0;
  }
  int64_t HeadParameters() const {
    return RootParameters() - EmbeddingParameters();
  }

  // Data goes on to the next chunk, or gradients to the one before: sends
  // `sent`, or receives where there is nothing to send.
  TensorId Message(bool forward, TensorId sent, Holder holder) {
    const bool receives = sent == kNoTensor;
    const bool here = forward == receives ? chunk_.from_here : chunk_.to_here;
    if (here) return layers_.HandOver(forward, sent, holder);
    const Axis axes[2][2][2] = {
        {{Axis::kBackwardOut, Axis::kBackwardIn},
         {Axis::kForwardOut, Axis::kForwardIn}},
        {{Axis::kUpBackwardOut, Axis::kUpBackwardIn},
         {Axis::kUpForwardOut, Axis::kUpForwardIn}}};
    constexpr absl::string_view kNames[2][2] = {
        {"send gradients", "receive gradients"},
        {"send activations", "receive activations"}};
    return Message(axes[chunk_.up][forward][receives],
                   kNames[forward][receives], sent, holder);
  }

  TensorId Message(Axis axis, absl::string_view name, TensorId sent,
                   Holder holder) {
    const Split& split = training_.split;
    const bool parts = training_.overlap.pipeline_scatter && split.tensor > 1 &&
                       !split.sequence;
    const int64_t elements = shape().shard * model_.hidden;
    const auto add = [&](CollectiveKind kind, Axis on, absl::string_view what,
                         int64_t moved, TensorId reads, sim::Bytes output) {
      return b_.Add(
          {.work = Collective{.kind = kind,
                              .axis = on,
                              .bytes = BytesOf(shape().activation, moved),
                              .dtype = shape().activation},
           .name = what},
          {reads}, output, holder);
    };
    const int64_t part =
        parts ? (elements + split.tensor - 1) / split.tensor : elements;
    const bool receives = sent == kNoTensor;
    const TensorId message =
        add(CollectiveKind::kSendRecv, axis, name, part, sent,
            receives ? BytesOf(shape().activation, part) : sim::Bytes(0));
    if (!receives || !parts) return message;
    return add(CollectiveKind::kAllGather, Axis::kTensor, "gather message",
               elements, message, BytesOf(shape().activation, elements));
  }

  // FP8 copies of a layer's weights.
  void QuantiseWeights(size_t i, bool backward) {
    QuantiseWeights(LayerParameters(i).total() - shape().adapters, weights_[i],
                    expert_weights_[i], backward);
  }

  // Of the layer that is emitted.
  void QuantiseWeights(int64_t parameters, TensorId weights,
                       TensorId expert_weights, bool backward) {
    if (training_.precision != Precision::kFp8) return;
    if (training_.fp8.in_bf16(b_.layer(), model_.layers)) return;
    const std::optional<WeightCast> cast = WeightCastOf(training_, backward);
    if (!cast) return;
    b_.Add({.work = Kernel(MemoryBound{
                .kind = Pointwise::kCast,
                .read = sim::Bytes(cast->read * parameters),
                .written = sim::Bytes(cast->written * parameters),
                .flops = sim::Flops(static_cast<double>(parameters)),
                .kernels = cast->kernels}),
            .name = cast->name,
            .when = cast->when},
           {weights, expert_weights});
  }

  // Delayed scaling: at the end of each pass the largest values that it met,
  // `of_linear` for each linear layer, are shared by the ranks of the stage, and
  // the next scales made of them (FP8GlobalStateManager.
  // reduce_and_update_fp8_tensors); what follows waits.
  void ShareLargest(int64_t of_linear, TensorId after) {
    const Fp8Recipe& recipe = training_.fp8;
    if (training_.precision != Precision::kFp8 || chunk_.layers == 0 ||
        recipe.scaling != Fp8Scaling::kDelayed) {
      return;
    }
    constexpr int64_t kLinearsOfLayer = 4;
    const sim::Bytes bytes = BytesOf(
        DType::kFp32, of_linear * kLinearsOfLayer * chunk_.layers);
    if (recipe.reduce_amax && training_.split.stage_ranks() > 1) {
      after = b_.Add({.work = Collective{.axis = Axis::kStage,
                                         .bytes = bytes,
                                         .dtype = DType::kFp32},
                      .name = "amax all-reduce"},
                     {after});
    }
    b_.Add({.work = Kernel(MemoryBound{.kind = Pointwise::kReduction,
                                       .read = bytes,
                                       .written = bytes,
                                       .flops = sim::Flops(0),
                                       .kernels = 2}),
            .name = "update scales"},
           {after});
  }

  void Unpack(size_t i) {
    const ParameterCounts unit = LayerParameters(i);
    weights_[i] = data_.Unpack(unit.dense, weights_[i]);
    expert_weights_[i] = experts_.Unpack(unit.expert, expert_weights_[i]);
  }

  // Gathers what may be gathered when the pass is at layer `at` of `order`, which
  // lists the layers as it visits them.
  void Prefetch(const std::vector<size_t>& order, size_t at, Phase pass,
                size_t ahead, size_t* gathered) {
    while (*gathered < order.size() && *gathered <= at + ahead) {
      // As many layers are held as may be ahead, and the one that runs.
      const bool waits =
          training_.overlap.limit_all_gathers && *gathered > ahead;
      const TensorId after =
          waits ? ends_[order[*gathered - ahead - 1]] : kNoTensor;
      const size_t i = order[*gathered];
      const ParameterCounts unit = LayerParameters(i);
      weights_[i] = data_.GatherUnit(unit.dense, after, pass);
      expert_weights_[i] = experts_.GatherUnit(unit.expert, after, pass);
      ++*gathered;
    }
  }

  size_t Ahead(Phase pass, size_t layer) const {
    return static_cast<size_t>(LayersAhead(training_.overlap, pass,
                                           LayerParameters(layer).total()));
  }

  void Forward() {
    const bool sharded = data_.sharded_weights();
    if (sharded && RootParameters() > 0) {
      root_ = data_.GatherUnit(RootParameters(), kNoTensor);
      root_ = data_.Unpack(RootParameters(), root_);
    }
    TensorId x = kNoTensor;
    if (!chunk_.embedding) {
      x = Message(true, kNoTensor, Holder::kActivations);
    } else if (model_.linear_stack) {
      x = b_.Input();
    } else {
      x = layers_.EmbeddingForward(
          sharded ? root_ : data_.GatherUpdated(TrainedEnds(EmbeddingParameters())));
    }
    std::vector<size_t> order(kept_.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    size_t gathered = 0;
    for (const size_t i : order) {
      if (sharded) {
        Prefetch(order, i, Phase::kForward, Ahead(Phase::kForward, i), &gathered);
      } else {
        const ParameterCounts unit = Trained(i);
        weights_[i] = data_.GatherUpdated(unit.dense);
        expert_weights_[i] = experts_.GatherUpdated(unit.expert);
      }
      SelectLayer(i);
      Unpack(i);
      QuantiseWeights(i, false);
      kept_[i] = layers_.Forward(x, weights_[i]);
      x = kept_[i].output;
      ends_[i] = x;
    }
    b_.SetLayer(-1);
    ShareLargest(3, x);  // inputs, weights, outputs
    if (!chunk_.head) {
      if (ends_in_share()) {
        share_input_ = x;
        x = layers_.FinalNormForward(x);
      }
      Message(true, x, Holder::kWorkspace);
    } else {
      if (!sharded) root_ = data_.GatherUpdated(TrainedEnds(HeadParameters()));
      head_ = layers_.HeadForward(x, root_);
      MtpForward(x);
    }
  }

  // Of one layer that predicts a further token.
  ParameterCounts MtpParameters() const {
    ParameterCounts each = shape().mtp;
    each.dense /= model_.mtp_depth;
    each.expert /= model_.mtp_depth;
    return each;
  }

  void SelectMtp(int64_t depth) {
    layers_.SetRecompute(training_.recompute);
    layers_.SetInputGradient(true);
    layers_.SetExpertWeights(mtp_expert_weights_[static_cast<size_t>(depth)]);
    b_.SetLayer(model_.layers + depth);
  }

  void GatherMtp(size_t depth, bool updated) {
    const ParameterCounts unit = MtpParameters();
    if (data_.sharded_weights()) {
      const Phase pass = updated ? Phase::kForward : Phase::kBackward;
      mtp_weights_[depth] = data_.Unpack(
          unit.dense, data_.GatherUnit(unit.dense, kNoTensor, pass));
      mtp_expert_weights_[depth] = experts_.Unpack(
          unit.expert, experts_.GatherUnit(unit.expert, kNoTensor, pass));
    } else if (updated) {
      mtp_weights_[depth] = data_.GatherUpdated(unit.dense);
      mtp_expert_weights_[depth] = experts_.GatherUpdated(unit.expert);
    }
  }

  void MtpForward(TensorId x) {
    for (int64_t depth = 0; depth < model_.mtp_depth; ++depth) {
      const auto row = static_cast<size_t>(depth);
      GatherMtp(row, true);
      SelectMtp(depth);
      QuantiseWeights(MtpParameters().total(), mtp_weights_[row],
                      mtp_expert_weights_[row], false);
      mtp_.push_back(layers_.MtpForward(x, root_, mtp_weights_[row]));
      x = mtp_.back().layer.output;
      b_.SetLayer(-1);
    }
  }

  // The last depth first; its hidden state is the one before's output, the
  // first's the last layer's, whose gradient is returned.
  TensorId MtpBackward() {
    TensorId gradient = kNoTensor;
    for (int64_t depth = model_.mtp_depth - 1; depth >= 0; --depth) {
      const auto row = static_cast<size_t>(depth);
      if (training_.overlap.reshard_after_forward) GatherMtp(row, false);
      SelectMtp(depth);
      QuantiseWeights(MtpParameters().total(), mtp_weights_[row],
                      mtp_expert_weights_[row], true);
      gradient = layers_.MtpBackward(mtp_[row], gradient, root_,
                                     mtp_weights_[row]);
      const ParameterCounts unit = MtpParameters();
      data_.Reduce(unit.dense, layers_.TakeGradients());
      experts_.Reduce(unit.expert, layers_.TakeExpertGradients());
      b_.SetLayer(-1);
    }
    return gradient;
  }

  // Backward of layer `i` runs what this says again.
  void SelectLayer(size_t i) {
    const bool full = training_.recompute == Recompute::kFull;
    const bool in_range = training_.recompute_layers == 0 ||
                          static_cast<int64_t>(i) < training_.recompute_layers;
    layers_.SetRecompute(full && !in_range ? Recompute::kNone
                                           : training_.recompute);
    layers_.SetExpertWeights(expert_weights_[i]);
    b_.SetLayer(chunk_.first_layer + static_cast<int64_t>(i));
  }

  void Backward() {
    TensorId gradient = kNoTensor;
    if (!chunk_.head) {
      gradient = Message(false, kNoTensor, Holder::kWorkspace);
      if (ends_in_share()) {
        gradient = layers_.FinalNormBackward(share_input_, gradient);
      }
    } else {
      const TensorId further = MtpBackward();
      gradient = layers_.HeadBackward(head_, root_);
      if (further != kNoTensor) gradient = layers_.Join(gradient, further);
    }
    int64_t root_left = TrainedEnds(RootParameters());
    if (data_.sharded_weights()) {
      root_gradients_ = layers_.TakeGradients();  // one unit with the embedding
    } else if (chunk_.head) {
      // A tied table's gradient is complete only after the embedding's pass.
      data_.Reduce(TrainedEnds(HeadParameters()), layers_.TakeGradients());
      root_left -= TrainedEnds(HeadParameters());
    }
    BackwardLayers(&gradient);
    ShareLargest(2, gradient);  // gradients of outputs and inputs
    if (!chunk_.embedding) {
      Message(false, gradient, Holder::kWorkspace);
    } else if (!model_.linear_stack && !shape().frozen) {
      layers_.EmbeddingBackward(gradient);
    }
    for (const TensorId g : layers_.TakeGradients()) {
      root_gradients_.push_back(g);
    }
    if (root_left > 0) data_.Reduce(root_left, root_gradients_);
    data_.Flush();
    experts_.Flush();
  }

  void BackwardLayers(TensorId* gradient) {
    std::vector<size_t> order(kept_.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = order.size() - 1 - i;
    const bool again =
        data_.sharded_weights() && training_.overlap.reshard_after_forward;
    size_t gathered = 0;
    for (size_t at = 0; at < order.size(); ++at) {
      const size_t i = order[at];
      const size_t ahead = Ahead(Phase::kBackward, i);
      const auto prefetch = training_.overlap.backward_prefetch;
      if (again) {
        Prefetch(order, at, Phase::kBackward,
                 prefetch == BackwardPrefetch::kPre ? ahead : 0, &gathered);
      }
      SelectLayer(i);
      if (again) Unpack(i);
      QuantiseWeights(i, true);
      layers_.SetInputGradient(!EndsGradients(i));
      *gradient = layers_.Backward(kept_[i], *gradient, weights_[i]);
      ends_[i] = *gradient;
      if (again && prefetch == BackwardPrefetch::kPost) {
        Prefetch(order, at, Phase::kBackward, ahead, &gathered);
      }
      const ParameterCounts unit = Trained(i);
      data_.Reduce(unit.dense, layers_.TakeGradients());
      experts_.Reduce(unit.expert, layers_.TakeExpertGradients());
    }
    b_.SetLayer(-1);
  }

  const ModelSpec& model_;
  const TrainingSpec& training_;
  const Chunk chunk_;
  OpGraphBuilder b_;
  LayerEmitter layers_;
  DataParallel data_, experts_;
  std::vector<LayerTensors> kept_;  // by layer of the chunk
  // Gathered weights of each layer, and those of its routed experts.
  std::vector<TensorId> weights_, expert_weights_;
  std::vector<LayerEmitter::MtpTensors> mtp_;  // by depth
  std::vector<TensorId> mtp_weights_, mtp_expert_weights_;
  std::vector<TensorId> ends_;      // last output of each layer in this pass
  TensorId root_ = kNoTensor;       // gathered embedding and head
  TensorId share_input_ = kNoTensor;  // of the final norm before shares
  std::vector<TensorId> root_gradients_;
  LayerEmitter::HeadTensors head_;
};

}  // namespace

OpGraph BuildChunk(const ModelSpec& model, const TrainingSpec& training,
                   const Chunk& chunk, size_t part) {
  if (chunk.vocabulary) return BuildVocabularyChunk(model, training, chunk);
  OpGraph graph = ChunkEmitter(model, training, chunk, part).Emit();
  return OffloadActivations(std::move(graph), training.offload,
                            chunk.first_layer, chunk.layers);
}

StageGraph BuildStage(const ModelSpec& model, const TrainingSpec& training,
                      std::span<const Chunk> chunks, size_t part) {
  StageGraph stage;
  const RankShape shape(model, training);
  for (const Chunk& chunk : chunks) {
    stage.chunks.push_back(BuildChunk(model, training, chunk, part));
  }
  stage.step = BuildStep(model, training, chunks);
  const HeldParameters held = HeldOf(shape, chunks);
  stage.parameters = held.all;
  stage.off_device = OffDeviceOf(training, held);
  for (int holder = 0; holder < kHolders; ++holder) {
    stage.resident[static_cast<size_t>(holder)] =
        HeldBytes(training, held, static_cast<Holder>(holder));
  }
  stage.resident[static_cast<size_t>(Holder::kOptimizerState)] +=
      FurtherStateBytes(model, training, chunks);
  stage.resident[static_cast<size_t>(Holder::kWeights)] +=
      Fp8WeightBytes(model, training, chunks);
  return stage;
}

}  // namespace models
