// What an inference engine computes: the operators of one step on one rank, by
// the tokens in it, and what a rank keeps in memory.
//
//   ServingSpec s{.tensor = 8};
//   ServingLayer(llama2_70b, s, /*layer=*/0, /*tokens=*/64);
//   // norm, qkv 64x1280x8192, rotary, out, all-reduce, norm, gate and up, …
//   DecodeAttention(llama2_70b, s, 0, 64, 64 * 1000, 64);
//   WeightBytes(llama2_70b, s);  // 17.3 GB on each rank
//
// Attention stands apart from the rest of a layer: what the rest takes depends
// on the number of tokens alone, and is the same in all layers of a kind.
// Tokens of prompts and of answers share the rest's products.
#ifndef MODELS_SERVING_H_
#define MODELS_SERVING_H_

#include <cstdint>
#include <vector>

#include "models/expert_kernels.h"
#include "models/model_spec.h"
#include "models/op.h"
#include "models/op_graph.h"
#include "sim/serving/step.h"

namespace models {

// How the weights of linear layers are stored and multiplied. Embedding, LM
// head, router and norms stay in 16 bits.
enum class WeightFormat : uint8_t {
  k16Bit,
  kFp8,         // weights and activations, one scale for a tensor or a row
  kFp8Blocks,   // the same, with scales for blocks of 128 x 128
  kInt8,        // weights and activations
  kInt8Weights,  // weights only; products in 16 bits
  kInt4Weights,
};

// Whose kernels run; an engine's profile says.
struct ServingKernels {
  GemmFamily gemm = GemmFamily::kCublas;       // of 16-bit products
  GemmFamily fp8 = GemmFamily::kCutlass;       // of kFp8
  GemmFamily blocks = GemmFamily::kDeepGemm;   // of kFp8Blocks
  AttentionFamily attention = AttentionFamily::kVllm;
  bool masked = false;  // decoding: Attention::masked
  PointwiseFamily pointwise = PointwiseFamily::kVllm;
  ExpertKernels experts = ExpertKernels::kTriton;
  AllReduceLibrary all_reduce = AllReduceLibrary::kVllm;
  bool fused_quantise = false;  // norms and activations write 8 bits themselves
  bool fused_rotary = false;    // attention rotates queries and keys itself
  int sampling_passes = 3;      // over the logits in FP32, to choose a token
};

struct ServingSpec {
  int64_t tensor = 1;    // ranks that divide a layer
  int64_t pipeline = 1;  // stages
  // Ranks, of the tensor ones, that hold whole experts of their own; 1: all
  // divide every expert. `tensor` or 1.
  int64_t expert = 1;
  // Ranks divide the sequences instead of the heads: each has all of attention
  // and of the dense layers, for its own share of the tokens.
  bool data_parallel_attention = false;
  WeightFormat weights = WeightFormat::k16Bit;
  DType cache = DType::kBf16;  // of keys and values: 16 bits or kFp8
  ServingKernels kernels = {};
  // Adapters that requests of one step use beside the base model, and their
  // rank; 0: none.
  int64_t adapters = 0, adapter_rank = 0;
};

// A kind of layer, and how many of a pipeline stage's there are (of the stage
// that has most).
struct ServingLayerKind {
  int64_t layer = 0;  // one of them
  int64_t count = 0;
};
std::vector<ServingLayerKind> ServingLayerKinds(const ModelSpec& model,
                                                const ServingSpec& spec);

// All of a layer but its attention, for `tokens` tokens of the engine (of all
// ranks together under data-parallel attention). REQUIRES: tokens > 0.
std::vector<Op> ServingLayer(const ModelSpec& model, const ServingSpec& spec,
                             int64_t layer, int64_t tokens);
// Embedding, of the first stage; final norm, logits and the choice of a token
// for `sampled` sequences, of the last. REQUIRES: tokens > 0.
std::vector<Op> ServingEnds(const ModelSpec& model, const ServingSpec& spec,
                            int64_t tokens, int64_t sampled);
// Activations on their way to the next stage.
Collective StageMessage(const ModelSpec& model, int64_t tokens);

// Attention of `queries` tokens of `sequences` sequences that each get their
// next tokens, over `keys` keys in all. REQUIRES: each > 0.
std::vector<Op> DecodeAttention(const ModelSpec& model, const ServingSpec& spec,
                                int64_t layer, int64_t sequences, int64_t keys,
                                int64_t queries);
// Attention of parts of prompts, in one kernel: as many sequences of their mean
// length, with as many pairs of query and key. REQUIRES: not empty.
std::vector<Op> PrefillAttention(const ModelSpec& model,
                                 const ServingSpec& spec, int64_t layer,
                                 const std::vector<sim::PrefillChunk>& chunks);

// Of the rank that holds most.
sim::Bytes WeightBytes(const ModelSpec& model, const ServingSpec& spec);
// Of one token, on the rank and stage that hold most.
sim::Bytes CacheBytesPerToken(const ModelSpec& model, const ServingSpec& spec);
// Most that a step of so many tokens keeps beside them.
sim::Bytes StepActivationBytes(const ModelSpec& model, const ServingSpec& spec,
                               int64_t tokens, int64_t sampled);
// FLOPs of matrix products of the whole model, of all ranks: of `tokens` tokens
// of which the attention sees `pairs` pairs of query and key in a layer.
sim::Flops ServingFlops(const ModelSpec& model, double tokens, double pairs,
                        double sampled);

}  // namespace models

#endif  // MODELS_SERVING_H_
