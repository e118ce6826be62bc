#include "models/adapters.h"

#include "models/model_spec.h"
#include "models/rank_shape.h"

namespace models {
namespace {

constexpr LinearSite kSites[] = {LinearSite::kQkv, LinearSite::kAttentionOut,
                                 LinearSite::kFc1, LinearSite::kFc2};

// Beside a column-parallel layer with outputs of these widths on one rank.
std::vector<Adapter> ColumnAdapters(const LoraSpec& lora, int64_t in,
                                    int64_t tensor,
                                    const std::vector<int64_t>& widths) {
  std::vector<Adapter> adapters;
  for (const int64_t out : widths) {
    adapters.push_back(
        {.in = in, .low = lora.rank / tensor, .rank = lora.rank, .out = out});
  }
  return adapters;
}

Adapter RowAdapter(const LoraSpec& lora, int64_t in, int64_t tensor,
                   int64_t out) {
  return {
      .in = in, .low = lora.rank, .rank = lora.rank, .out = out / tensor};
}

std::vector<int64_t> QkvWidths(const LoraSpec& lora, const RankShape& shape) {
  std::vector<int64_t> widths;
  if (lora.has(LoraTarget::kQkv)) {
    widths.push_back(shape.q_width + 2 * shape.kv_width);
  }
  if (lora.has(LoraTarget::kQuery)) widths.push_back(shape.q_width);
  if (lora.has(LoraTarget::kKey)) widths.push_back(shape.kv_width);
  if (lora.has(LoraTarget::kValue)) widths.push_back(shape.kv_width);
  return widths;
}

std::vector<int64_t> Fc1Widths(const LoraSpec& lora, const ModelSpec& model,
                               const RankShape& shape) {
  std::vector<int64_t> widths;
  if (lora.has(LoraTarget::kFc1)) {
    widths.push_back(shape.ffn * (model.gated_mlp ? 2 : 1));
  }
  if (lora.has(LoraTarget::kGate) && model.gated_mlp) {
    widths.push_back(shape.ffn);
  }
  if (lora.has(LoraTarget::kUp)) widths.push_back(shape.ffn);
  return widths;
}

}  // namespace

std::vector<Adapter> AdaptersAt(LinearSite site, const LoraSpec& lora,
                                const ModelSpec& model, const RankShape& shape,
                                int64_t tensor) {
  if (!lora.on()) return {};
  switch (site) {
    case LinearSite::kQkv:
      return ColumnAdapters(lora, model.hidden, tensor, QkvWidths(lora, shape));
    case LinearSite::kFc1:
      return ColumnAdapters(lora, model.hidden, tensor,
                            Fc1Widths(lora, model, shape));
    case LinearSite::kAttentionOut:
      if (!lora.has(LoraTarget::kAttentionOut)) return {};
      return {RowAdapter(lora, shape.q_width, tensor, model.hidden)};
    case LinearSite::kFc2:
      if (!lora.has(LoraTarget::kFc2)) return {};
      return {RowAdapter(lora, shape.ffn, tensor, model.hidden)};
    case LinearSite::kOther:
      break;
  }
  return {};
}

int64_t AdapterParameters(const LoraSpec& lora, const ModelSpec& model,
                          const RankShape& shape, int64_t tensor) {
  int64_t count = 0;
  for (const LinearSite site : kSites) {
    for (const Adapter& a : AdaptersAt(site, lora, model, shape, tensor)) {
      count += a.parameters();
    }
  }
  return count;
}

LinearSite FirstAdapted(const LoraSpec& lora) {
  for (const LoraTarget target : {LoraTarget::kQkv, LoraTarget::kQuery,
                                  LoraTarget::kKey, LoraTarget::kValue}) {
    if (lora.has(target)) return LinearSite::kQkv;
  }
  if (lora.has(LoraTarget::kAttentionOut)) return LinearSite::kAttentionOut;
  for (const LoraTarget target :
       {LoraTarget::kFc1, LoraTarget::kGate, LoraTarget::kUp}) {
    if (lora.has(target)) return LinearSite::kFc1;
  }
  return lora.has(LoraTarget::kFc2) ? LinearSite::kFc2 : LinearSite::kOther;
}

// bitsandbytes functional.quantize_4bit: blocksize 64, compress_statistics
// blocks of 256 (Dettmers et al. 2023, section 3: 0.5 and 0.127 bits).
double Nf4BytesPerWeight(bool double_quant) {
  return 0.5 + (double_quant ? 1.0 / 64 + 4.0 / (64 * 256) : 4.0 / 64);
}

int64_t Nf4Weights(const ModelSpec& model, const RankShape& shape) {
  const int64_t qkv = shape.q_width + 2 * shape.kv_width;
  const int64_t mlp = shape.ffn * (model.gated_mlp ? 3 : 2);
  return model.hidden * (qkv + shape.q_width + mlp);
}

}  // namespace models
