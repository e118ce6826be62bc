// Emits the operators of Transformer layers into a graph, forward and backward.
//
//   LayerEmitter e(model, training, &builder);
//   LayerTensors kept = e.Forward(layer, x, weights);
//   TensorId dx = e.Backward(layer, kept, dy, weights);
//
// Forward says what it keeps; what Backward does not read is freed as soon as
// its last reader ran. Recomputation emits forward operators again in the
// backward pass and reads those instead, so memory follows by itself.
// Attention is in attention_layer.cc and attention_core.cc, latent attention in
// latent_attention_layer.cc, the MLP in mlp_layer.cc, the two ends of the model
// in vocabulary_layer.cc.
#ifndef MODELS_LAYER_EMITTER_H_
#define MODELS_LAYER_EMITTER_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "models/adapters.h"
#include "models/expert_split.h"
#include "models/expert_tensors.h"
#include "models/op_graph.h"
#include "models/pointwise_work.h"
#include "models/rank_shape.h"

namespace models {

// A matrix product of a layer, split over tensor-parallel ranks by its columns
// (outputs) or its rows (inputs). Widths are one rank's.
struct Linear {
  absl::string_view name, data_gradient, weight_gradient;  // of its ops
  int64_t in = 0, out = 0;
  bool bias = false;
  bool quantise_input = false;  // FP8: its input comes in 16 bits
  bool low_precision = true;    // runs in FP8 when training does
  bool replicated = false;      // over tensor-parallel ranks: of own tokens
  LinearSite site = LinearSite::kOther;
  std::vector<Adapter> adapters = {};  // beside it
};

// What the backward pass of an adapter reads.
struct AdapterTensors {
  TensorId input = kNoTensor;  // after dropout
  TensorId low = kNoTensor;    // what its first product made, scaled
  TensorId mask = kNoTensor;   // of its dropout
};

inline constexpr std::array<TensorId, 3> kNoExchange = {kNoTensor, kNoTensor,
                                                        kNoTensor};

// What the backward pass of a layer reads.
struct LayerTensors {
  TensorId input = kNoTensor;
  TensorId attention_norm = kNoTensor;
  TensorId qkv = kNoTensor;  // latent attention: queries alone
  // Latent attention: compressed queries, keys and values, before and after
  // their norms; the key's rotary part; keys and values of all heads.
  TensorId query_down = kNoTensor, query_norm = kNoTensor;
  TensorId kv_down = kNoTensor, kv_norm = kNoTensor;
  TensorId rotary_key = kNoTensor, keys = kNoTensor, values = kNoTensor;
  TensorId padded_context = kNoTensor;  // of kernels that need wide values
  TensorId head_norm_input = kNoTensor;  // queries and keys before their norms
  TensorId probabilities = kNoTensor;  // materialised attention: softmax output
  TensorId score_mask = kNoTensor;     // … its dropout mask
  TensorId dropped = kNoTensor;        // … after dropout
  TensorId statistics = kNoTensor;     // fused attention: log-sum-exp
  TensorId context = kNoTensor;        // attention output
  // Context parallelism: queries, keys and values of few heads; the outputs of
  // a rank's two chunks.
  std::array<TensorId, 3> exchanged = kNoExchange;
  TensorId parts = kNoTensor;
  TensorId attention_branch = kNoTensor;  // … projected: input of its post-norm
  TensorId attention_mask = kNoTensor;    // dropout mask before the residual
  TensorId mlp_input = kNoTensor;
  TensorId mlp_norm = kNoTensor;
  TensorId up = kNoTensor;    // up and gate projections, but for `gate`
  TensorId gate = kNoTensor;  // … where it is computed again
  TensorId activated = kNoTensor;
  ExpertTensors experts = {};       // in place of these three
  TensorId mlp_branch = kNoTensor;  // down projection
  TensorId mlp_mask = kNoTensor;
  TensorId output = kNoTensor;
  std::vector<AdapterTensors> qkv_adapters = {}, out_adapters = {},
                              up_adapters = {}, down_adapters = {};
};

class LayerEmitter {
 public:
  // On ranks of `part` of the experts' load (ExpertSplit).
  LayerEmitter(const ModelSpec& model, const TrainingSpec& training,
               OpGraphBuilder* builder, size_t part = 0);

  const RankShape& shape() const { return shape_; }

  // What the layers emitted from here on run again in their backward pass.
  void SetRecompute(Recompute recompute) { recompute_ = recompute; }
  // Orders their routed experts' products after an all-gather, as `weights` of
  // Forward orders the rest.
  void SetExpertWeights(TensorId weights) { expert_weights_ = weights; }

  // Whether anything before the layer whose backward pass is next trains; if
  // not, gradients end at its first adapter.
  // Two branches from one input end together, which is not modelled: they go on.
  void SetInputGradient(bool needed) {
    input_gradient_ = needed || model_.parallel_residual;
  }

  // One layer. `weights` orders its products after an all-gather of its
  // parameters (kNoTensor: they are resident).
  LayerTensors Forward(TensorId input, TensorId weights);
  // Returns the gradient of the layer's input; kNoTensor if none is needed.
  TensorId Backward(const LayerTensors& kept, TensorId gradient,
                    TensorId weights);

  // The two ends (vocabulary_layer.cc).
  TensorId EmbeddingForward(TensorId weights);
  void EmbeddingBackward(TensorId gradient);
  struct HeadTensors {
    TensorId input = kNoTensor, norm = kNoTensor, logits = kNoTensor,
             probabilities = kNoTensor;
  };
  HeadTensors HeadForward(TensorId input, TensorId weights);
  TensorId HeadBackward(const HeadTensors& kept, TensorId weights);

  // The share of both that a pipeline stage has where the stages divide them
  // (vocabulary_share.cc). `sent` is the last stage's output, on that stage;
  // its gradient comes back.
  struct ShareTensors {
    TensorId input = kNoTensor, logits = kNoTensor, statistics = kNoTensor,
             gradient = kNoTensor, embedding = kNoTensor;
  };
  ShareTensors ShareForward(TensorId sent);
  TensorId ShareBackward(const ShareTensors& kept);
  TensorId FinalNormForward(TensorId input);
  TensorId FinalNormBackward(TensorId input, TensorId gradient);
  // What one chunk of a rank makes for the next: sent, or taken where there is
  // nothing to send.
  TensorId HandOver(bool forward, TensorId sent, Holder holder);

  // A layer that predicts one more token, from `hidden` (mtp_layer.cc). `table`
  // orders what reads the embedding and the head.
  struct MtpTensors {
    TensorId hidden = kNoTensor, embedded = kNoTensor, joined = kNoTensor;
    LayerTensors layer = {};
    HeadTensors head = {};
  };
  MtpTensors MtpForward(TensorId hidden, TensorId table, TensorId weights);
  TensorId MtpBackward(const MtpTensors& kept, TensorId gradient,
                       TensorId table, TensorId weights);
  // The sum of two gradients of the last layer's output.
  TensorId Join(TensorId gradient, TensorId further) {
    return Add("mtp gradient", gradient, further);
  }

  // Gradients of the parameters used since the last call; of routed experts
  // apart.
  std::vector<TensorId> TakeGradients();
  std::vector<TensorId> TakeExpertGradients();

 private:
  // Linear layers (linear_layer.cc). `kept` names what the output is held for.
  // `adapters` are what its adapters keep.
  TensorId Column(const Linear& linear, TensorId input, TensorId weights,
                  Holder kept, std::vector<AdapterTensors>* adapters = nullptr);
  TensorId ColumnBackward(const Linear& linear, TensorId input,
                          TensorId gradient, TensorId weights,
                          const std::vector<AdapterTensors>& adapters = {});
  TensorId Row(const Linear& linear, TensorId input, TensorId weights,
               Holder kept = Holder::kWorkspace,
               std::vector<AdapterTensors>* adapters = nullptr);
  TensorId RowBackward(const Linear& linear, TensorId input, TensorId gradient,
                       TensorId weights,
                       const std::vector<AdapterTensors>& adapters = {});
  // One product with the collective before or behind it, in pieces where
  // tensor-parallel communication is overlapped.
  TensorId GatherThenMultiply(Gemm gemm, bool quantise, TensorId input,
                              TensorId weights, absl::string_view name,
                              Holder kept, TensorId* gathered,
                              std::optional<DType> travels = {});
  // `addend` is added to the product before it is reduced.
  TensorId MultiplyThenReduce(Gemm gemm, TensorId input, TensorId weights,
                              absl::string_view name,
                              Holder kept = Holder::kWorkspace,
                              TensorId addend = kNoTensor);
  TensorId Multiply(const Gemm& gemm, absl::string_view name,
                    std::initializer_list<TensorId> reads, Holder kept);
  // In the activations' type, or `travels`.
  TensorId Gather(TensorId input, int64_t columns,
                  std::optional<DType> travels = {});
  TensorId Reduce(TensorId partial, int64_t columns,
                  Holder kept = Holder::kWorkspace);
  void KeepGradient(int64_t parameters);
  OpId WeightGradient(const Linear& linear, TensorId input, TensorId gradient);
  TensorId Quantise(absl::string_view name, int64_t elements, TensorId tensor);
  // Every tensor-parallel rank multiplies its own tokens by the whole matrix.
  TensorId Replicated(const Linear& linear, TensorId input, TensorId weights);
  TensorId ReplicatedBackward(const Linear& linear, TensorId input,
                              TensorId gradient, TensorId weights);
  Gemm Shape(const Linear& linear, int64_t columns, int64_t depth) const;
  int64_t RowsOf(const Linear& linear) const {
    return linear.replicated ? shape_.shard : shape_.tokens;
  }
  int64_t Pieces() const;

  // FP8 by a recipe (fp8_layer.cc).
  struct Fp8Tensors {
    TensorId rows = kNoTensor, columns = kNoTensor;  // as it lies, transposed
  };
  bool Fp8Here() const;  // in the layer that is emitted
  bool UsesRecipe(const Linear& linear) const;
  bool KeepsFp8() const;
  bool GathersFp8() const;
  DType ProductType(const Linear& linear) const;
  GemmFamily ProductFamily(DType dtype) const;
  sim::Bytes Fp8Bytes(int64_t elements) const;
  TensorId LargestValue(int64_t elements, TensorId tensor, bool of_ranks);
  // `both`: transposed as well; `of_ranks`: tensor-parallel ranks hold parts.
  Fp8Tensors Cast(absl::string_view name, int64_t elements, TensorId tensor,
                  bool both, bool of_ranks, Holder kept);
  TensorId Transpose(int64_t elements, TensorId tensor);
  TensorId CastInput(const Linear& linear, int64_t rows, TensorId input,
                     bool gathers);
  TensorId InputOfWeightGradient(const Linear& linear, TensorId input,
                                 bool gathers);
  Fp8Tensors CastGradient(const Linear& linear, int64_t elements,
                          TensorId gradient);
  TensorId ColumnProduct(const Linear& linear, TensorId input, TensorId weights,
                         Holder kept, TensorId* gathered);
  TensorId RowInputGradient(const Linear& linear, TensorId gradient,
                            TensorId weights, TensorId* gathered);
  TensorId NormBeforeProducts(absl::string_view name, TensorId input,
                              Holder holder, bool only_products);
  TensorId CastRows(int64_t elements, TensorId rows);
  TensorId RowsOfWeightGradient(int64_t elements, TensorId rows);

  // Adapters of frozen layers (adapter_layer.cc).
  void AddAdapters(const Linear& linear, bool row, TensorId input,
                   TensorId output, std::vector<AdapterTensors>* kept);
  TensorId AdaptersBackward(const Linear& linear, bool row, TensorId gradient,
                            const std::vector<AdapterTensors>& kept);
  bool AdapterComesFirst(LinearSite site) const;
  TensorId SpreadRows(TensorId high);
  TensorId CollectRows(TensorId gradient);
  TensorId DropForAdapter(int64_t elements, TensorId input, TensorId* mask);
  TensorId ResidualDropBackward(int64_t elements, TensorId gradient,
                                TensorId mask);
  TensorId Pass(absl::string_view name, int64_t elements, TensorId tensor,
                Holder holder);
  TensorId TensorCollective(CollectiveKind kind, absl::string_view name,
                            int64_t elements, TensorId reads,
                            sim::Bytes output);
  TensorId Dequantise(const Linear& linear, TensorId weights);
  std::vector<Adapter> AdaptersOf(LinearSite site) const {
    return AdaptersAt(site, training_.lora, model_, shape_,
                      training_.split.tensor);
  }
  bool frozen() const { return training_.lora.on(); }

  void SumLoss(TensorId probabilities);
  Linear HeadShare() const;
  void EmbedShare();
  void EmbedShareBackward(TensorId gradient);
  TensorId SoftmaxGradient(const ShareTensors& t);
  TensorId SumOutputGradient(TensorId partial);
  TensorId Meet(CollectiveKind kind, absl::string_view name, sim::Bytes bytes,
                DType dtype, TensorId reads, sim::Bytes output, Holder holder);

  Linear MtpProjection() const;
  TensorId MtpJoin(absl::string_view name,
                   std::initializer_list<TensorId> halves, Holder holder);

  // The teaching stack of square linear layers (linear_stack.cc).
  LayerTensors StackForward(TensorId input, TensorId weights);
  TensorId StackBackward(const LayerTensors& kept, TensorId gradient,
                         TensorId weights);
  HeadTensors StackHeadForward(TensorId input, TensorId weights);
  TensorId StackHeadBackward(const HeadTensors& kept, TensorId weights);

  // Attention (attention_layer.cc; its core in attention_core.cc).
  void AttentionForward(LayerTensors* t, TensorId weights);
  TensorId AttentionBackward(const LayerTensors& t, TensorId gradient,
                             TensorId weights);
  void Core(LayerTensors* t);
  TensorId CoreBackward(const LayerTensors& t, TensorId gradient);
  void FusedCore(LayerTensors* t);
  TensorId FusedCoreBackward(const LayerTensors& t, TensorId gradient);
  bool FusesSoftmax() const;
  void MaterialisedCore(LayerTensors* t);
  TensorId MaterialisedCoreBackward(const LayerTensors& t, TensorId gradient);
  void HeadNorm(absl::string_view name, PointwiseOp op,
                std::initializer_list<TensorId> reads, TensorId qkv);
  Attention FusedKernel(bool backward) const;
  Attention Packed(Attention kernel) const;
  int64_t WindowOver(int64_t keys) const;

  // Its context-parallel kinds (context_attention.cc).
  struct CoreInputs {
    TensorId queries, keys, values;
  };
  CoreInputs InputsOf(const LayerTensors& t) const;
  void ContextCore(LayerTensors* t);
  void RingForward(LayerTensors* t, bool pytorch);
  void GatheredForward(LayerTensors* t);
  TensorId ContextCoreBackward(const LayerTensors& t, TensorId gradient);
  TensorId RingBackward(const LayerTensors& t, TensorId context,
                        TensorId gradient);
  TensorId PyTorchRingBackward(const LayerTensors& t, TensorId gradient);
  TensorId GatheredBackward(const LayerTensors& t, TensorId gradient);
  std::vector<TensorId> ExchangeHeads(
      const std::vector<std::pair<TensorId, int64_t>>& tensors, Holder holder,
      sim::Bytes joined = sim::Bytes(0));
  TensorId NextKeys(int64_t step, TensorId keys, bool pytorch);
  TensorId GatherKeys(TensorId tensor, int64_t elements);
  void MergeInFp32(TensorId out, TensorId part);
  TensorId MergeParts(TensorId statistics, const std::vector<TensorId>& parts,
                      bool pytorch);
  TensorId StatisticsOfLast();
  TensorId ContextMove(absl::string_view name, CollectiveKind kind, Axis axis,
                       sim::Bytes bytes, std::initializer_list<TensorId> reads,
                       sim::Bytes output);
  // A pass over `elements`, so many bytes read and written for each.
  TensorId ContextPass(absl::string_view name, double read, double written,
                       int64_t elements, std::initializer_list<TensorId> reads,
                       sim::Bytes output = sim::Bytes(0),
                       Holder holder = Holder::kWorkspace, int kernels = 1);
  Attention FurtherStep(Attention first) const;
  Attention ChunkKernel(bool backward, int64_t chunk) const;
  int64_t KvElements() const;  // of a rank's keys and values as they travel
  sim::Bytes QkvGradient() const;

  Linear Qkv() const;
  Linear AttentionOut() const;

  // Latent attention (latent_attention_layer.cc).
  void LatentForward(LayerTensors* t, TensorId weights);
  void LatentNorms(LayerTensors* t, Holder holder);
  void LatentUp(LayerTensors* t, TensorId weights);
  TensorId LatentBackward(const LayerTensors& t, TensorId gradient,
                          TensorId weights);
  TensorId LatentKvBackward(const LayerTensors& t, TensorId qkv,
                            TensorId weights);
  TensorId LatentNorm(absl::string_view name, PointwiseOp op, int64_t width,
                      std::initializer_list<TensorId> reads, Holder holder);
  TensorId RotateQueries(absl::string_view name, TensorId queries);
  Linear QueryDown() const;
  Linear KvDown() const;
  Linear QueryUp() const;
  Linear KvUp() const;
  // Values padded to the width of keys, the output cut again.
  bool PadsLatentValues() const;
  TensorId PadValues(TensorId values);
  TensorId CutContext(TensorId context);
  TensorId PadGradient(TensorId gradient);
  TensorId CutValueGradient(TensorId qkv);

  // MLP (mlp_layer.cc).
  void MlpForward(LayerTensors* t, TensorId weights, TensorId residual);
  TensorId MlpBackward(const LayerTensors& t, TensorId gradient,
                       TensorId weights);
  void MultiplyUp(LayerTensors* t, TensorId weights);
  TensorId Activate(TensorId up, TensorId gate, int64_t elements,
                    Holder holder);
  TensorId ActivateBackward(TensorId up, TensorId gate, TensorId gradient,
                            int64_t elements);
  Linear Up() const;
  Linear Down() const;

  // What is run again (layer_recompute.cc).
  LayerTensors Recomputed(const LayerTensors& kept, TensorId weights);
  void RecomputeAttentionNorm(LayerTensors* t);
  void RecomputeMlpNorm(LayerTensors* t);
  void RecomputeOperators(LayerTensors* t, TensorId weights);
  void RecomputeMlp(LayerTensors* t, TensorId weights);

  // Experts in the MLP's place (expert_mlp_layer.cc) …
  bool ExpertsHere() const;
  void ExpertForward(LayerTensors* t, TensorId weights);
  TensorId ExpertBackward(const LayerTensors& t, TensorId branch,
                          TensorId weights);
  void Route(LayerTensors* t, TensorId weights);
  void RouteBackward(const LayerTensors& t, TensorId gradient,
                     TensorId weights);
  TensorId ExpertProducts(LayerTensors* t);
  TensorId ExpertProductsBackward(const LayerTensors& t, TensorId gradient);
  TensorId Grouped(absl::string_view name, int64_t n, int64_t k, TensorId rows,
                   Holder holder);
  void GroupedWeightGradient(absl::string_view name, int64_t n, int64_t k,
                             TensorId rows, TensorId gradient);
  TensorId SharedExpertUp(LayerTensors* t, TensorId weights);
  TensorId SharedExpertDown(LayerTensors* t, TensorId weights);
  TensorId SharedExpertDownBackward(const LayerTensors& t, TensorId gradient,
                                    TensorId weights);
  Linear SharedUp() const;
  Linear SharedDown() const;

  // … and the ways of their tokens (expert_exchange.cc).
  TensorId Dispatch(absl::string_view name, TensorId rows, Holder holder);
  TensorId Arrange(absl::string_view picking, TensorId rows, Holder holder);
  TensorId ArrangeBack(absl::string_view adding, TensorId rows);
  TensorId Combine(absl::string_view name, TensorId rows, Holder holder);
  TensorId Exchange(absl::string_view name, TensorId rows,
                    ExpertDirection direction, int64_t output, Holder holder);
  TensorId RowPass(absl::string_view name, int64_t read, int64_t written,
                   int kernels, std::initializer_list<TensorId> reads,
                   Holder holder);
  TokenDispatcher Dispatcher() const;
  bool BySender() const;
  bool Exchanges() const;
  bool SortsRows() const;
  int64_t Arrived() const;
  int PermuteKernels() const;

  // Pieces between the products.
  TensorId NormForward(absl::string_view name, TensorId input, Holder holder);
  TensorId NormBackward(absl::string_view name, TensorId input,
                        TensorId gradient);
  TensorId ResidualForward(absl::string_view name, TensorId branch,
                           TensorId residual, Holder holder, TensorId* mask);
  TensorId ResidualBackward(absl::string_view name, TensorId gradient,
                            TensorId mask);
  TensorId CastLogits(absl::string_view name, TensorId logits, DType to);
  TensorId NormOfHeadBackward(const HeadTensors& t, TensorId gradient);
  TensorId Add(absl::string_view name, TensorId a, TensorId b);
  TensorId Pointwise(absl::string_view name, PointwiseOp op, bool fused,
                     int64_t elements, std::initializer_list<TensorId> reads,
                     sim::Bytes output, Holder holder, int64_t rows = 0);
  sim::Bytes Words(int64_t elements) const {
    return BytesOf(shape_.activation, elements);
  }
  // A norm behind each half as well (Gemma 2).
  bool post_norms() const { return model_.norms_per_layer == 4; }
  bool rms() const { return model_.norm == Norm::kRmsNorm; }
  bool fp8() const { return training_.precision == Precision::kFp8; }
  int bits() const { return BitsOf(shape_.activation); }

  const ModelSpec& model_;
  const TrainingSpec& training_;
  OpGraphBuilder& b_;
  RankShape shape_;
  ExpertSplit experts_;
  ExpertPart part_;  // of these, this rank's
  Recompute recompute_ = Recompute::kNone;
  TensorId expert_weights_ = kNoTensor;
  bool input_gradient_ = true;
  std::vector<TensorId> gradients_, expert_gradients_;
  // Of 16-bit inputs, the FP8 copies that their weight gradients read.
  struct KeptFp8 {
    TensorId tensor = kNoTensor;
    bool transposed = false;
    bool made_by_norm = false;
  };
  std::map<TensorId, KeptFp8> kept_fp8_;
};

}  // namespace models

#endif  // MODELS_LAYER_EMITTER_H_
