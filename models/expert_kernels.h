// The kernels of a layer of experts: grouped matrix products, and the passes
// over memory around them.
//
//   // 128 tokens on each of 8 experts, 7168 -> 2 * 2048:
//   std::vector<int64_t> load(8, 128);
//   GroupedGemm up{.rows = RowsOf(load), .n = 4096, .k = 7168};
//   WorkOf(up).flops;  // 2 * 1024 * 4096 * 7168 = 6.0e10
//
// models/expert_load.h says how tokens spread over experts, and
// models/expert_layer.h puts the kernels of a layer together.
//
// To add a library of kernels: an enumerator of ExpertKernels, its name, how it
// runs a layer (expert_layer.cc), and its constants in calibration.proto.
#ifndef MODELS_EXPERT_KERNELS_H_
#define MODELS_EXPERT_KERNELS_H_

#include <array>
#include <cstdint>
#include <span>

#include "absl/strings/string_view.h"
#include "models/dtype.h"
#include "sim/units.h"

namespace models {

// Whose kernels run the layer; each has its own efficiency.
enum class ExpertKernels : uint8_t {
  kTriton,   // fused_moe of vLLM and SGLang
  kCutlass,  // TensorRT-LLM: CUTLASS; DeepGEMM where FP8 is scaled in blocks
  // Training. Both call cuBLAS once for each expert; Transformer Engine's
  // GroupedLinear spreads the calls over four streams, so that one fills the
  // multiprocessors that the last tiles of another leave.
  kTransformerEngine,
  kSequential,  // one after another: Megatron's SequentialMLP, a loop in Python
};
absl::string_view NameOf(ExpertKernels family);  // "triton", "cutlass", …

// Heights of output tiles, in rows of one expert.
inline constexpr std::array<int64_t, 4> kTileHeights = {16, 32, 64, 128};

// How rows lie on the experts that one rank holds: all that a grouped product's
// time depends on. Means where the load is random, so not whole numbers.
struct ExpertRows {
  double rows = 0;    // of all experts; a token is a row on each of its experts
  double active = 0;  // experts that have a row
  // Tiles of each height that cover every expert's rows: the sum of
  // ceil(rows of the expert / height).
  std::array<double, 4> tiles = {};
  friend bool operator==(const ExpertRows&, const ExpertRows&) = default;
};

// Of `load[e]` rows on expert e, each >= 0.
ExpertRows RowsOf(std::span<const int64_t> load);

// For each expert e: C_e[m_e,n] = A_e[m_e,k] B_e[k,n], in one kernel.
struct GroupedGemm {
  ExpertRows rows;
  int64_t n = 0, k = 0;
  DType dtype = DType::kBf16;   // A and B
  DType output = DType::kBf16;  // C
  // Instead dB_e[k,n] (+)= A_e[m_e,k]^T C_e[m_e,n], of type `output`.
  bool weight_gradient = false;
  bool accumulate = false;  // reads what it adds to
  ExpertKernels family = ExpertKernels::kTriton;
  // The output tile, where the program fixes it; 0 x 0: the library's choice.
  // The height is one of kTileHeights.
  int64_t tile_m = 0, tile_n = 0;
  friend bool operator==(const GroupedGemm&, const GroupedGemm&) = default;
};

// What stands around the products, bound by memory or by its launches.
enum class ExpertStep : uint8_t {
  kRoute,       // choose the experts of each token from the router's logits
  kPermute,     // sort rows by expert, copy or convert them
  kActivation,  // SiLU·mul and the like; conversion of its result
  kUnpermute,   // weighted sum of each token's rows
};
absl::string_view NameOf(ExpertStep step);  // "route", "permute", …

struct ExpertPass {
  ExpertStep step = ExpertStep::kPermute;
  sim::Bytes read, written;    // least HBM traffic of all its kernels together
  int kernels = 1;             // launches
  int64_t experts = 0;         // that the rank holds; matters to kPermute
  DType dtype = DType::kBf16;  // of the products that it serves
  ExpertKernels family = ExpertKernels::kTriton;
  friend bool operator==(const ExpertPass&, const ExpertPass&) = default;
};

}  // namespace models

#endif  // MODELS_EXPERT_KERNELS_H_
