// The vocabulary of work: kernels and communications, no machine.
//
//   Gemm qkv{.m = 8192, .n = 10240, .k = 8192, .dtype = DType::kBf16};
//   WorkOf(qkv).flops;  // 2·m·n·k = 1.37e12
//
// To add a kernel: add its struct here and name it in Kernel. The compiler then
// points at the places that must learn it: WorkOf (op.cc), which counts its
// FLOPs and bytes, Dump (dump.cc), which prints it, and hardware/cost_model.cc,
// which prices it.
#ifndef MODELS_OP_H_
#define MODELS_OP_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "absl/strings/string_view.h"
#include "models/dtype.h"
#include "models/expert_all_to_all.h"
#include "models/expert_kernels.h"
#include "models/gemm.h"
#include "sim/units.h"

namespace models {

// Who wrote the fused attention kernel; each has its own efficiency.
enum class AttentionFamily : uint8_t {
  kFlash1,  // FlashAttention 1 (CUDA, 2022)
  kTriton,  // the Triton port of FlashAttention 1 (llm-foundry's attn_impl)
  kFlash2,
  kFlash3,  // Hopper only
  kCudnn,   // cuDNN fused attention, as Transformer Engine picks it
  // Forward over a paged cache, as serving engines call it:
  kVllm,         // FlashAttention 2 on Ampere, 3 on Hopper
  kSglang,       // FlashInfer on Ampere, FlashAttention 3 on Hopper
  kTensorRtLlm,  // its own kernels
  kFlashInfer,   // as of 2024, before it grew Hopper kernels
};
absl::string_view NameOf(AttentionFamily family);

// softmax(Q K^T) V in one kernel, or its gradients.
struct Attention {
  int64_t batch = 0, heads = 0, kv_heads = 0, queries = 0, keys = 0;
  int64_t head_dim = 0;        // of Q and K
  int64_t value_head_dim = 0;  // of V
  bool causal = true;          // the last query sees every key, the one before
                               // all but one, …
  int64_t window = 0;          // causal: a query sees its last so many; 0: all
  // Keys that model FLOPs count for a query, mask or not; 0: `keys`. Of a part
  // of context-parallel attention, those of the tokens it stands for.
  double counted_keys = 0;
  // Sequences of several lengths, one behind the other in `queries` and `keys`:
  // the keys that a query sees, on average, and those of the longest sequence;
  // 0: as the mask says.
  double seen_keys = 0;
  int64_t longest = 0;
  double sequences = 0;   // in the batch
  bool backward = false;  // five matrix products instead of two
  AttentionFamily family = AttentionFamily::kFlash2;
  DType dtype = DType::kBf16;  // of the matrix products
  // Of the stored keys and values, if they are not of that type: an 8-bit
  // cache of a 16-bit model. Forward only.
  std::optional<DType> cache = std::nullopt;
  // A step of decoding by a kernel that takes one query head at a time, which
  // reads keys that heads share once for each.
  bool masked = false;
  // An engine's: the new keys and values are stored first, by another kernel.
  // A step of decoding always does so.
  bool writes_cache = false;
  friend bool operator==(const Attention&, const Attention&) = default;
};

// Bound by memory: reads, a little arithmetic, writes.
enum class Pointwise : uint8_t {
  kNorm,          // LayerNorm, RMSNorm and their gradients
  kActivation,    // GELU, ReLU, …
  kGated,         // SiLU(gate) · up, GELU(gate) · up
  kRotary,        // rotary position embedding
  kResidual,      // bias + dropout + add
  kSoftmax,       // scale + mask + softmax (+ dropout) of materialised scores
  kCast,          // dtype conversion, FP8 quantisation, copies, transposes
  kEmbedding,     // gather of rows, scatter-add of their gradients
  kCrossEntropy,  // log-softmax and loss over the vocabulary
  kOptimizer,     // parameter update
  kReduction,     // gradient norm, amax, …
};
absl::string_view NameOf(Pointwise kind);

// Whose kernels: how they cut the work and what they fuse moves results more
// than any curve. A family without a kernel of some kind runs PyTorch's.
enum class PointwiseFamily : uint8_t {
  kPyTorch,      // PyTorch's own, and Apex's and Transformer Engine's alike
  kEager,        // modules written in PyTorch operators: chains of kernels
  kVllm2024,     // vLLM 0.2 to 0.5: one thread block a row
  kVllm,         // vLLM 0.6 and later
  kTensorRtLlm,  // TensorRT-LLM 1.x
};
absl::string_view NameOf(PointwiseFamily family);

struct MemoryBound {
  Pointwise kind = Pointwise::kResidual;
  PointwiseFamily family = PointwiseFamily::kPyTorch;
  sim::Bytes read, written;  // HBM traffic of all its kernels together
  sim::Flops flops;          // outside the tensor cores
  int kernels = 1;           // launches: eager code runs an op in several
  // Rows of the tensor, for kernels that work row by row; 0: more than the GPU
  // has multiprocessors, each short.
  int64_t rows = 0;
  friend bool operator==(const MemoryBound&, const MemoryBound&) = default;
};

using Kernel = std::variant<Gemm, Attention, MemoryBound, GroupedGemm,
                            ExpertPass, Quantise>;

struct Work {
  sim::Flops flops;          // a fused multiply-add is 2; causal kernels skip
  sim::Bytes read, written;  // least HBM traffic
};
Work WorkOf(const Kernel& kernel);
int LaunchesOf(const Kernel& kernel);  // most are one
// FLOPs as model-FLOPs accounting counts them: of matrix products only; with
// `causal_half` false, causal attention without a window counts as full
// (Megatron's formula).
sim::Flops MatrixFlops(const Kernel& kernel, bool causal_half);

// One line: "gemm 4096x8192x1024 bf16", "attention 1x64/8x8192x128 causal".
std::string Dump(const Kernel& kernel);

// ---- Communication -------------------------------------------------------

enum class CollectiveKind : uint8_t {
  kAllReduce,
  kAllGather,
  kReduceScatter,
  kAllToAll,
  kBroadcast,
  kSendRecv,  // a message to the next rank of its group, one from the previous
  // A rank's own, on the axes of its host (IsOnHost):
  kCopy,       // between device and host memory
  kHostWork,   // a pass over host memory by the CPU: the bytes that it moves
  kDiskRead,   // from the drives to host memory …
  kDiskWrite,  // … and back
};
absl::string_view NameOf(CollectiveKind kind);  // "all-reduce", …

// The process groups a rank belongs to.
enum class Axis : uint8_t {
  kTensor,
  kContext,       // ranks of a context-parallel ring, or of its gathering
  kContextHeads,  // context-parallel ranks that divide the heads
  kData,          // gradients of dense parameters: data × context ranks
  kShard,         // FSDP shard group: parameters and gradients live in it
  kReplicate,     // ranks holding the same shard (HSDP)
  kEmbedding,     // first and last stage, which share tied embeddings
  kModel,         // tensor × pipeline: gradient norm and overflow check
  kForwardIn,    // pipeline boundaries: activations from the previous chunk …
  kForwardOut,   // … and to the next
  kBackwardIn,   // gradients from the next chunk …
  kBackwardOut,  // … and to the previous
  kExpert,       // ranks with different experts, which tokens travel among
  kExpertTensor,     // ranks that divide the same experts
  kExpertData,       // gradients of experts: ranks with copies of them
  kExpertShard,      // of these, an FSDP shard group …
  kExpertReplicate,  // … and ranks holding the same shard
  kExpertModel,      // expert × expert tensor × pipeline: gradient norm
  kSecondShard,  // ZeRO++: neighbours that share a second copy of the weights
  kShardNear,    // a reduction in two hops: shard ranks of one server …
  kShardFar,     // … and those at the same place of every server
  // What a rank does with its host, alone: streams without a group.
  kToHost,
  kToDevice,
  kCpu,
  kDisk,
  // Pipeline boundaries of data that flows towards lower stages.
  kUpForwardIn,
  kUpForwardOut,
  kUpBackwardIn,
  kUpBackwardOut,
  kVocabulary,  // stages that divide the vocabulary
  kStage,  // all ranks of a stage: the largest values of FP8 tensors
};
inline constexpr int kAxes = 31;
inline bool IsOnHost(Axis axis) {
  return axis >= Axis::kToHost && axis <= Axis::kDisk;
}
absl::string_view NameOf(Axis axis);
// Whether the axis is one end of a channel between pipeline stages, and which.
bool Sends(Axis axis);
bool Receives(Axis axis);
// The channel by its receiver's axis.
Axis ReceivingEnd(Axis axis);

// Whose all-reduce runs. The engines' own kernels take over from NCCL where a
// node's ranks reach each other's memory and the data is small; which sizes, is
// the engine's choice.
enum class AllReduceLibrary : uint8_t { kNccl, kVllm, kSglang, kTensorRtLlm };
absl::string_view NameOf(AllReduceLibrary library);  // "nccl", "vllm", …

struct Collective {
  CollectiveKind kind = CollectiveKind::kAllReduce;
  Axis axis = Axis::kTensor;
  // nccl-tests' sizes: all-reduce: the buffer of one rank; all-gather: the
  // gathered output; reduce-scatter: one rank's input; all-to-all: one rank's
  // send buffer; send/recv: the message.
  sim::Bytes bytes;
  DType dtype = DType::kBf16;  // reductions cost what they sum
  AllReduceLibrary library = AllReduceLibrary::kNccl;
  // The data is first copied to where peers can read it, as vLLM does outside
  // CUDA graphs.
  bool copied = false;
  // What the host holds more when it is done; below 0: less.
  sim::Bytes host_held = sim::Bytes(0);
  // Tokens on their way between experts by DeepEP's kernels, instead of NCCL's.
  std::optional<ExpertAllToAll> exchange = std::nullopt;
  friend bool operator==(const Collective&, const Collective&) = default;
};

}  // namespace models

#endif  // MODELS_OP_H_
