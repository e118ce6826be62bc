// The adapters of low-rank adaptation beside the linear layers of a Transformer
// layer, as one rank of a split holds them.
//
//   std::vector<Adapter> a = AdaptersAt(LinearSite::kQkv, lora, model, shape);
//   a[0].parameters();  // in · rank / tp + rank · out / tp
//
// The layout is that of NeMo's and Megatron-Bridge's ParallelLinearAdapter: both
// thin matrices of an adapter are divided among the tensor-parallel ranks. Beside
// a column-parallel layer A and B are divided by their columns, and what A makes
// is gathered; beside a row-parallel one A is divided by its rows and its
// products summed, B by its columns and its outputs gathered.
#ifndef MODELS_ADAPTERS_H_
#define MODELS_ADAPTERS_H_

#include <cstdint>
#include <vector>

#include "models/lora.h"

namespace models {

struct ModelSpec;
struct RankShape;

// The linear layers of a Transformer layer that can have adapters.
enum class LinearSite : uint8_t { kQkv, kAttentionOut, kFc1, kFc2, kOther };

// Widths on one rank: x[in] A[in, low] gathered or summed to [rank], then
// B[rank, out].
struct Adapter {
  int64_t in = 0, low = 0, rank = 0, out = 0;

  int64_t parameters() const { return in * low + rank * out; }
};

// Of `tensor` ranks; empty where nothing is adapted.
std::vector<Adapter> AdaptersAt(LinearSite site, const LoraSpec& lora,
                                const ModelSpec& model, const RankShape& shape,
                                int64_t tensor);
// Of one layer on one rank.
int64_t AdapterParameters(const LoraSpec& lora, const ModelSpec& model,
                          const RankShape& shape, int64_t tensor);
// The first linear layer in the order of the forward pass that has an adapter;
// kOther: none.
LinearSite FirstAdapted(const LoraSpec& lora);

// ---- Weights in four bits (bitsandbytes' NF4) --------------------------------

// Half a byte each, and a scale for 64 of them: FP32, or one byte and an FP32
// scale for 256 scales.
double Nf4BytesPerWeight(bool double_quant);
// Weights of a layer that are stored so on one rank: those of its products.
int64_t Nf4Weights(const ModelSpec& model, const RankShape& shape);

}  // namespace models

#endif  // MODELS_ADAPTERS_H_
