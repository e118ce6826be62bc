// How a model is trained: batch, precision, optimizer, split, and which kernels
// and overlaps the framework uses. No machine.
//
//   TrainingSpec t{.sequence_length = 8192, .global_batch = 512};
//   t.split = {.tensor = 8, .sequence = true, .pipeline = 2, .data = 4};
//   t.microbatches();  // 512 / (1 · 4) = 128
//
// Framework profiles (scenarios/profiles) set the kernel choices and overlaps;
// a scenario may override each. Names are Megatron's where Megatron has one.
#ifndef MODELS_TRAINING_H_
#define MODELS_TRAINING_H_

#include <cstdint>
#include <string>
#include <vector>

#include "models/context_kind.h"
#include "models/expert_options.h"
#include "models/fp8_recipe.h"
#include "models/lora.h"
#include "models/offload.h"
#include "models/op.h"
#include "models/optimizer_options.h"
#include "models/schedules/schedule.h"
#include "models/sequences.h"

namespace models {

// Of the matrix products. kFp16, kBf16: mixed, with FP32 master weights. kFp8:
// linear layers in FP8 by an Fp8Recipe, everything else in BF16.
enum class Precision : uint8_t { kFp32, kTf32, kFp16, kBf16, kFp8 };

enum class Optimizer : uint8_t {
  kSgd,
  kMomentum,
  kAdaGrad,
  kRmsProp,
  kAdam,
  kAdamW,
  kLamb,
  kAdam8bit,  // bitsandbytes: one byte per moment
  // Momentum, orthogonalised by Newton-Schulz iterations on each matrix of a
  // layer (Jordan et al. 2024); embeddings, head and vectors by AdamW.
  kMuon,
  // Second moments of a matrix as one number a row and one a column (Shazeer
  // and Stern 2018); no first moment.
  kAdafactor,
  kLion,  // momentum alone, and the sign of the update (Chen et al. 2023)
};

enum class Recompute : uint8_t {
  kNone,
  kSelective,  // attention core only (Korthikanti et al. 2022)
  // torchtitan's per-operator policy: attention and every second matrix product
  // of a layer are kept, all else is recomputed.
  kOperators,
  kFull,  // every layer from its input
  // Latent attention's up-projections and what follows them up to the attention
  // kernel (Megatron's --recompute-modules mla_up_proj).
  kLatentUp,
  // The attention kernel, the products into the MLP and all that is no product
  // (MaxText's remat_policy save_dot_except_mlp and save_dot_except_mlpwi).
  kDotsExceptMlp,
};

// Whether pipeline stages divide the vocabulary's two layers among them, and how
// often they meet for each microbatch (Yeung et al. 2024, arXiv:2411.05288).
enum class VocabularySplit : uint8_t {
  kNone,  // the first stage has the embedding, the last the head
  kTwoBarriers,  // algorithm 1: softmax statistics, then gradients
  kOneBarrier,   // algorithm 2: both at once
};

// How ranks divide the work. Ranks are numbered tp fastest, then cp, dp, pp.
struct Split {
  int64_t tensor = 1;     // >= 1; divides heads
  bool sequence = false;  // Megatron's sequence parallel; needs tensor > 1
  int64_t context = 1;    // >= 1; divides sequence_length / 2
  ContextKind context_kind = ContextKind::kP2p;
  int64_t context_inner = 1;      // kHybrid: neighbours that divide the heads
  int64_t pipeline = 1;           // >= 1
  int64_t virtual_stages = 1;     // parts of the model per stage
  std::string schedule = "1f1b";  // a row of models/schedules, or "table":
  // the passes of each stage, and where its chunks lie.
  Plan schedule_table = {};
  Placement table_placement = Placement::kRing;
  VocabularySplit vocabulary = VocabularySplit::kNone;
  // Layers of each chunk in the order the data flows (pipeline ·
  // virtual_stages numbers); empty: even.
  std::vector<int64_t> chunk_layers = {};
  int64_t data = 1;  // >= 1; replicas, without context
  // 0: every rank holds everything; 1: optimizer state sharded over data ranks;
  // 2: and gradients; 3: and weights (FSDP FULL_SHARD).
  int zero = 0;
  int64_t shard_group = 0;  // zero > 0: ranks sharing one copy (HSDP); 0: all
  // ZeRO++ (models/zero_plus_plus.cc); zero 3 only.
  int64_t second_shard = 1;  // hpZ: ranks with a second copy between them; 1: none
  bool quantized_weights = false;    // qwZ: gathered in 8 bits
  bool quantized_gradients = false;  // qgZ: reduced in 4 bits, in two hops
  int64_t server_ranks = 1;  // of one server, that the first hop joins
  // Routed experts are divided among `expert` ranks, each of them by columns
  // among `expert_tensor`, over the ranks of a stage: neighbours share an
  // expert, further neighbours have other experts, and the rest hold copies.
  int64_t expert = 1;         // >= 1; divides the experts
  int64_t expert_tensor = 0;  // >= 1; 0: tensor

  bool by_table() const { return schedule == "table"; }
  Placement placement() const;  // the schedule's
  // Stages that hold the same layers: 2 where data flows both ways.
  int64_t copies() const { return CopiesOf(placement()); }
  int64_t parts() const { return pipeline * virtual_stages; }
  // The pipeline, for `microbatches` of one replica.
  Pipeline PipelineOf(int64_t microbatches) const;
  // The passes of each stage. REQUIRES: Schedules(microbatches).
  Plan PlanOf(int64_t microbatches) const;
  // Whether the schedule takes so many microbatches.
  bool Schedules(int64_t microbatches) const;
  // Whether messages travel while stages go on, whatever Overlap::pipeline says.
  bool asynchronous() const;
  // Whether one rank holds both the embedding and the head.
  bool ends_meet() const {
    return pipeline == 1 || placement() != Placement::kRing;
  }

  int64_t ranks() const { return tensor * context * pipeline * data; }
  int64_t stage_ranks() const { return tensor * context * data; }
  int64_t parts_of_expert() const {
    return expert_tensor > 0 ? expert_tensor : tensor;
  }
  // Ranks with the same part of the same experts.
  int64_t expert_copies() const {
    return copies() * stage_ranks() / (expert * parts_of_expert());
  }
  // Context-parallel ranks that divide the heads, and those that pass keys or
  // gather them; their product is `context`.
  int64_t head_ranks() const {
    if (context_kind == ContextKind::kAllToAll) return context;
    return context_kind == ContextKind::kHybrid ? context_inner : 1;
  }
  int64_t ring_ranks() const { return context / head_ranks(); }
};

// What the framework fuses and which kernels it calls.
struct KernelChoices {
  // false: scores are materialised: batched GEMM, softmax, batched GEMM.
  bool fused_attention = true;
  AttentionFamily attention = AttentionFamily::kFlash2;
  bool fused_norm = true;        // one kernel instead of eager PyTorch's six
  bool fused_activation = true;  // bias + GELU, or SiLU·mul, in one kernel
  bool fused_rotary = true;
  bool fused_residual = true;       // bias + dropout + add in one kernel
  bool fused_softmax = true;        // scale + mask + softmax, when materialised
  bool fused_cross_entropy = true;  // no FP32 copy of the logits
  bool fp32_logits = false;         // fused loss on logits cast to FP32
  bool fused_optimizer = true;      // multi-tensor apply
  // Weight gradients are summed over microbatches by their GEMM (Megatron's
  // gradient_accumulation_fusion); false: by a kernel of its own.
  bool fused_gradient_sum = true;
  // zero 3: copies of gathered weights, out of the collective's buffer to where
  // the layers read them, >= 0.
  int gather_copies = 0;
  // What the framework's own kernels read and write for each gradient before
  // and after its reduction, bytes, >= 0: copies into a buffer and out of it,
  // casts, divisions.
  int reduce_copy_bytes = 0;
  double dropout = 0;  // 0..1; > 0: masks are kept for backward
};

// When weights of the next layer of the backward pass are gathered (FSDP1):
// before the gradients of this one are computed, before they are reduced, or
// when that layer begins.
enum class BackwardPrefetch : uint8_t { kPre, kPost, kNone };

// What runs beside what. All of it works through lanes and waits.
struct Overlap {
  // Data-parallel reduction of a bucket starts when its gradients are ready;
  // false: after the whole backward pass.
  bool grad_reduce = true;
  // zero 1: the all-gather of new weights runs under the next step's forward;
  // false: before it.
  bool param_gather = false;
  // zero 1: each rank gets the sum of its share of the gradients; false: of
  // all, by an all-reduce (DeepSpeed's pipeline engine, InternEvo).
  bool grad_scatter = true;
  int64_t bucket_parameters = 40'000'000;  // parameters in a reduction
  // Tensor-parallel collectives are cut in `tensor_chunks` pieces, pipelined
  // with their GEMM (Transformer Engine user buffers, async TP).
  bool tensor = false;
  int tensor_chunks = 4;
  // The input gradient's tensor-parallel collective runs under the weight
  // gradient (Megatron's async_tensor_model_parallel_allreduce).
  bool tensor_backward = true;
  // Pipeline messages travel while the next microbatch computes; false: the
  // stage waits for each, unless the schedule is asynchronous.
  bool pipeline = false;
  // The optimizer steps on what the stages before know of the gradient norm,
  // and validates it later, so that stages need not meet before it (Qi et al.
  // 2023, section 4).
  bool optimizer_post_validation = false;
  // Weight gradients have passes of their own, a microbatch later, so that what
  // the backward pass waits for hides behind them (Megatron's
  // --delay-wgrad-compute).
  bool delay_weight_gradients = false;
  // Tensor-parallel ranks that hold the same pipeline message send a part each,
  // and gather it where it arrives (Narayanan et al. 2021, section 4.1).
  bool pipeline_scatter = false;
  // zero 3: layers whose weights may be gathered ahead of their use, >= 0.
  int prefetch_layers = 1;
  int forward_prefetch_layers = -1;  // in the forward pass; < 0: as many
  BackwardPrefetch backward_prefetch = BackwardPrefetch::kPre;
  // Weights are gathered only as those of earlier layers are freed.
  bool limit_all_gathers = true;
  // DeepSpeed's limits in place of prefetch_layers, parameters; 0: none.
  int64_t prefetch_bucket = 0, max_live_parameters = 0;
  // zero 3: weights are freed after forward and gathered again for backward.
  bool reshard_after_forward = true;
  // The shared expert runs while tokens travel to the routed ones and back
  // (Megatron's --moe-shared-expert-overlap).
  bool shared_expert = false;
  // Communications that run at once share NVLink, the NICs and PCIe, and slow
  // each other; false: each has them to itself.
  bool link_contention = false;
};

// What launching work costs the host. A kernel cannot start before the host has
// launched it; the host runs ahead of the device until something makes it wait.
struct Host {
  // Host time to launch one kernel, the framework's dispatch included; > 0.
  double launch_microseconds = 5;
  // Layers are replayed as CUDA graphs: their kernels cost no host time.
  bool cuda_graphs = false;
  // … all passes of a step are, as one graph.
  bool whole_iteration = false;
  double graph_microseconds = 0;  // to launch a graph, >= 0
  // Host work before each forward or backward pass of a chunk, and between
  // steps, >= 0.
  double pass_microseconds = 0, step_microseconds = 0;
  // CUDA_LAUNCH_BLOCKING=1: the host waits for each kernel; nothing overlaps.
  bool launch_blocking = false;
  // The host waits at the end of each layer, forward and backward, as where a
  // profiler times modules one by one.
  bool synchronise_layers = false;
};

struct TrainingSpec {
  int64_t sequence_length = 2048;  // tokens
  int64_t global_batch = 1;        // sequences in a step
  int64_t micro_batch = 1;         // sequences in a forward pass of one replica
  Precision precision = Precision::kBf16;
  bool fp32_gradients = true;     // accumulated in FP32; else 16-bit
  bool fp32_grad_reduce = true;   // gradients travel as FP32; else 16-bit
  bool fp8_param_gather = false;  // FSDP / ZeRO gathers weights as FP8
  Fp8Recipe fp8;
  LoraSpec lora;
  Optimizer optimizer = Optimizer::kAdamW;
  OptimizerOptions optimizer_options;
  bool gradient_clipping = true;  // global norm over all ranks
  Recompute recompute = Recompute::kNone;
  int64_t recompute_layers =
      0;  // kFull: only the first N of each chunk; 0: all
  Split split;
  KernelChoices kernels;
  Overlap overlap;
  ExpertOptions experts;
  Host host;
  Offload offload;
  Sequences sequences;
  // Vocabulary rows are padded to a multiple of this times tensor; 1: not.
  int64_t pad_vocab_to = 128;

  int64_t microbatches() const {
    return global_batch / (micro_batch * split.data);
  }
};

// Bytes each parameter takes on the rank that holds it, before ZeRO divides.
struct StateBytes {
  int64_t weights;  // what the matrix products read
  int64_t master;   // copy that is updated; 0: the weights are
  int64_t gradients;
  int64_t optimizer;  // moments; what only some parameters have is left out
                      // (FurtherStateBytes)
};
StateBytes StateBytesOf(const TrainingSpec& training);

absl::string_view NameOf(Precision precision);
absl::string_view NameOf(Optimizer optimizer);
absl::string_view NameOf(Recompute recompute);

}  // namespace models

#endif  // MODELS_TRAINING_H_
