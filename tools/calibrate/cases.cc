#include "tools/calibrate/cases.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace tools {
namespace {

constexpr int64_t kMebi = int64_t{1} << 20;

struct Weight {
  int64_t n, k;
};
// Of Llama 3 8B and 70B (whole and a rank's eighth), DeepSeek-V3, GPT-3 and
// Qwen2 7B; the first ones span small and large, wide and deep.
constexpr Weight kWeights[] = {
    {4096, 4096},  {28672, 4096},  {4096, 14336},  {8192, 8192},  {1280, 8192},
    {7168, 2048},  {6144, 4096},   {12288, 12288}, {57344, 8192}, {8192, 28672},
    {10240, 8192}, {8192, 1024},   {7168, 8192},   {8192, 3584},  {7168, 16384},
    {4096, 7168},  {49152, 12288}, {12288, 49152}, {37888, 3584}, {3584, 18944},
    {2048, 2048},  {512, 4096},    {128256, 4096}, {24576, 1536}};
constexpr size_t kFirstWeights = 6;

constexpr int64_t kFewRows[] = {1, 16, 64, 256, 1024, 4096, 16384};
constexpr int64_t kAllRows[] = {1,    2,    4,    8,    16,   32,   48,   64,
                                96,   128,  192,  256,  384,  512,  768,  1024,
                                1536, 2048, 3072, 4096, 6144, 8192, 16384};

template <class Rows>
void AddGemms(const std::string& dtype, bool quantised, size_t first,
              size_t weights, const Rows& rows, std::vector<Case>& cases) {
  for (const int64_t m : rows) {
    for (size_t i = first; i < weights; ++i) {
      cases.push_back(
          GemmCase{dtype, m, kWeights[i].n, kWeights[i].k, quantised});
    }
  }
}

struct Heads {
  int64_t heads, kv_heads, head_dim;
};
// Llama 3 8B whole; 70B on one of 8 GPUs; GPT-3 175B on one of 8; a small one.
constexpr Heads kHeads[] = {
    {32, 8, 128}, {8, 1, 128}, {12, 12, 128}, {16, 16, 64}};

void AddPrefill(const Heads& h, int64_t batch, int64_t q, int64_t kv,
                bool backward, std::vector<Case>& cases) {
  for (const char* kernel : {"cudnn", "flash"}) {
    cases.push_back(AttentionCase{kernel, "bf16", batch, q, kv, h.heads,
                                  h.kv_heads, h.head_dim, true, backward});
  }
}

void AddDecode(const Heads& h, int64_t batch, int64_t kv,
               std::vector<Case>& cases) {
  for (const char* kernel : {"cudnn", "flash"}) {
    cases.push_back(AttentionCase{kernel, "bf16", batch, 1, kv, h.heads,
                                  h.kv_heads, h.head_dim, false, false});
  }
}

constexpr const char* kRowOps[] = {"rmsnorm",
                                   "silu_mul",
                                   "add",
                                   "rope",
                                   "softmax",
                                   "gelu",
                                   "layernorm",
                                   "embedding",
                                   "fp8_amax",
                                   "fp8_quant_static",
                                   "rmsnorm_backward",
                                   "layernorm_backward"};

}  // namespace

std::vector<Case> RooflineCases(Profile profile) {
  std::vector<Case> cases;
  for (const char* kernel :
       {"hbm_read", "hbm_write", "hbm_copy", "hbm_triad"}) {
    cases.push_back(RooflineCase{kernel, "", 4096 * kMebi});
  }
  for (const char* dtype : {"bf16", "fp16", "tf32", "fp8"}) {
    cases.push_back(RooflineCase{"wgmma", dtype, 0});
    cases.push_back(RooflineCase{"mma", dtype, 0});
  }
  for (const char* dtype : {"bf16", "fp8"}) {
    cases.push_back(RooflineCase{"wgmma_sustained", dtype, 0});
  }
  cases.push_back(RooflineCase{"mma_sustained", "bf16", 0});
  cases.push_back(RooflineCase{"fma", "fp32", 0});
  cases.push_back(RooflineCase{"ex2", "fp32", 0});
  cases.push_back(RooflineCase{"launch_stream", "", 0});
  cases.push_back(RooflineCase{"launch_graph", "", 0});
  cases.push_back(RooflineCase{"shared_read", "", 256 * kMebi});
  for (const int64_t mebi : {4, 8, 16, 24, 32, 48, 64, 128}) {
    cases.push_back(RooflineCase{"l2_read", "", mebi * kMebi});
  }
  for (const char* kernel :
       {"h2d_pinned", "d2h_pinned", "h2d_pageable", "d2h_pageable"}) {
    for (const int64_t bytes : {256 * kMebi, kMebi, kMebi / 16}) {
      cases.push_back(RooflineCase{kernel, "", bytes});
    }
  }
  if (profile == Profile::kQuick) return cases;
  for (const char* kernel :
       {"hbm_read", "hbm_write", "hbm_copy", "hbm_triad"}) {
    for (const int64_t mebi : {1024, 256, 64, 16, 4, 1}) {
      cases.push_back(RooflineCase{kernel, "", mebi * kMebi});
    }
  }
  return cases;
}

std::vector<Case> GemmCases(Profile profile) {
  std::vector<Case> cases;
  constexpr size_t kAll = std::size(kWeights);
  const size_t few = kFirstWeights;
  AddGemms("bf16", false, 0, few, kFewRows, cases);
  AddGemms("fp8", false, 0, few, kFewRows, cases);
  AddGemms("fp8", true, 0, few, kFewRows, cases);
  AddGemms("fp16", false, 0, 2, kFewRows, cases);
  AddGemms("w8a8_int8", false, 0, 2, kFewRows, cases);
  if (profile == Profile::kQuick) return cases;
  cases.clear();
  AddGemms("bf16", false, 0, kAll, kAllRows, cases);
  AddGemms("fp8", false, 0, few, kAllRows, cases);
  AddGemms("fp8", true, 0, few, kAllRows, cases);
  AddGemms("fp16", false, 0, 4, kFewRows, cases);
  AddGemms("w8a8_int8", false, 0, 4, kFewRows, cases);
  AddGemms("fp8", false, few, kAll, kFewRows, cases);
  AddGemms("fp8", true, few, kAll, kFewRows, cases);
  return cases;
}

std::vector<Case> AttentionCases(Profile profile) {
  std::vector<Case> cases;
  const size_t layouts = profile == Profile::kQuick ? 2 : std::size(kHeads);
  for (size_t i = 0; i < layouts; ++i) {
    for (const int64_t q : {4096, 1024, 8192}) {
      AddPrefill(kHeads[i], 1, q, q, false, cases);
    }
    AddPrefill(kHeads[i], 1, 4096, 4096, true, cases);
    AddPrefill(kHeads[i], 1, 1024, 8192, false, cases);
    for (const int64_t kv : {4096, 32768, 1024}) {
      AddDecode(kHeads[i], 16, kv, cases);
      AddDecode(kHeads[i], 1, kv, cases);
    }
  }
  if (profile == Profile::kQuick) return cases;
  for (const Heads& h : kHeads) {
    for (const int64_t q : {256, 512, 2048, 16384}) {
      AddPrefill(h, 1, q, q, false, cases);
    }
    for (const int64_t q : {512, 2048}) AddPrefill(h, 8, q, q, false, cases);
    for (const int64_t q : {1024, 2048, 8192}) {
      AddPrefill(h, 1, q, q, true, cases);
    }
    AddPrefill(h, 1, 2048, 16384, false, cases);
    for (const int64_t batch : {4, 64, 128}) {
      for (const int64_t kv : {1024, 4096, 16384})
        AddDecode(h, batch, kv, cases);
    }
  }
  return cases;
}

std::vector<Case> PointwiseCases(Profile profile) {
  std::vector<Case> cases;
  const auto add = [&](const std::string& op, int64_t rows, int64_t width) {
    cases.push_back(PointwiseCase{op, "bf16", rows, width});
  };
  const std::vector<int64_t> widths =
      profile == Profile::kQuick
          ? std::vector<int64_t>{8192}
          : std::vector<int64_t>{8192, 4096, 1024, 14336};
  const std::vector<int64_t> heights =
      profile == Profile::kQuick
          ? std::vector<int64_t>{8192, 128}
          : std::vector<int64_t>{8192, 128, 2048, 512, 1, 16, 16384};
  for (const int64_t width : widths) {
    for (const int64_t rows : heights) {
      for (const char* op : kRowOps) add(op, rows, width);
    }
  }
  for (const int64_t tokens : {1024, 8192}) {
    for (const int64_t vocabulary : {32000, 128256}) {
      add("cross_entropy", tokens, vocabulary);
      add("cross_entropy_backward", tokens, vocabulary);
    }
  }
  for (const int64_t tensors : {1, 64}) {
    for (const int64_t elements : {kMebi, 16 * kMebi / 4}) {
      add("adam", tensors, elements);
    }
  }
  return cases;
}

std::vector<Case> ExpertCases(Profile profile) {
  struct Layer {
    int64_t hidden, inter, topk, experts;
  };
  // Mixtral 8x7B; Qwen3 30B-A3B; DeepSeek-V3 on one of 16 GPUs.
  constexpr Layer kLayers[] = {
      {4096, 14336, 2, 8}, {2048, 768, 8, 128}, {7168, 2048, 8, 16}};
  std::vector<int64_t> tokens = {1, 64, 1024, 8192};
  if (profile == Profile::kFull) {
    tokens.insert(tokens.end(), {4, 16, 256, 512, 2048, 4096, 16384});
  }
  std::vector<Case> cases;
  for (const int64_t t : tokens) {
    for (const Layer& layer : kLayers) {
      for (const char* distribution : {"balanced", "power_law_1.2"}) {
        cases.push_back(ExpertCase{"bf16", t, layer.hidden, layer.inter,
                                   layer.topk, layer.experts, distribution});
      }
    }
  }
  return cases;
}

std::vector<Case> CollectiveCases(Profile profile, int64_t gpus) {
  std::vector<Case> cases;
  if (gpus < 2) return cases;
  const int64_t factor = profile == Profile::kQuick ? 8 : 2;
  for (const char* op : {"all_reduce", "all_gather", "reduce_scatter",
                         "all_to_all", "broadcast", "send_recv"}) {
    for (int64_t bytes = 512 * kMebi; bytes >= 4096; bytes /= factor) {
      cases.push_back(CollectiveCase{op, "bf16", bytes, gpus});
    }
  }
  return cases;
}

std::vector<int64_t> ExpertLoads(const ExpertCase& c) {
  std::vector<double> weight(static_cast<size_t>(c.experts), 1.0);
  double sum = 0;
  for (size_t i = 0; i < weight.size(); ++i) {
    if (c.distribution == "power_law_1.2") {
      weight[i] = std::pow(static_cast<double>(i + 1), -1.2);
    }
    sum += weight[i];
  }
  // Expert i ends where the first i + 1 weights do, rounded: the last one ends
  // at the number of assignments, since later weights are never larger.
  const int64_t assignments = c.tokens * c.topk;
  std::vector<int64_t> loads;
  double up_to = 0;
  int64_t dealt = 0;
  for (const double w : weight) {
    up_to += w;
    const int64_t end =
        std::llround(static_cast<double>(assignments) * up_to / sum);
    loads.push_back(std::min(end - dealt, c.tokens));
    dealt += loads.back();
  }
  return loads;
}

}  // namespace tools
