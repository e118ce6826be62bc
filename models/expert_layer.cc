#include "models/expert_layer.h"

#include <cmath>

namespace models {
namespace {

// What a kernel that turns `elements` of BF16 into `dtype` reads and writes;
// nothing where they are BF16 already.
void Convert(int64_t elements, DType dtype, ExpertPass& pass) {
  if (dtype == DType::kBf16) return;
  pass.read = pass.read + BytesOf(DType::kBf16, elements);
  pass.written = pass.written + BytesOf(dtype, elements);
  ++pass.kernels;
}

ExpertPass Begin(const ExpertLayer& layer, ExpertStep step) {
  return {.step = step,
          .read = {},
          .written = {},
          .kernels = 1,
          .experts = layer.experts,
          .dtype = layer.dtype,
          .family = layer.family};
}

// Two kernels: one sorts an index by expert, and while Triton's products read
// the tokens where they lie, through it, CUTLASS's get copies in that order.
ExpertPass Permute(const ExpertLayer& layer, int64_t rows) {
  ExpertPass pass = Begin(layer, ExpertStep::kPermute);
  pass.kernels = 2;
  if (layer.family == ExpertKernels::kTriton) {
    Convert(layer.tokens * layer.hidden, layer.dtype, pass);
    return pass;
  }
  pass.read = pass.written = BytesOf(DType::kBf16, rows * layer.hidden);
  Convert(rows * layer.hidden, layer.dtype, pass);
  return pass;
}

}  // namespace

std::vector<Kernel> ExpertLayerKernels(const ExpertLayer& layer) {
  const int64_t rows = layer.family == ExpertKernels::kTriton
                           ? layer.choices
                           : std::llround(layer.rows.rows);
  const int64_t wide = (layer.gated ? 2 : 1) * layer.inter;
  const GroupedGemm up{.rows = layer.rows,
                       .n = wide,
                       .k = layer.hidden,
                       .dtype = layer.dtype,
                       .output = DType::kBf16,
                       .family = layer.family,
                       .tile_m = layer.tile_m,
                       .tile_n = layer.tile_n};
  GroupedGemm down = up;
  down.n = layer.hidden;
  down.k = layer.inter;
  ExpertPass activation = Begin(layer, ExpertStep::kActivation);
  activation.read = BytesOf(DType::kBf16, rows * wide);
  activation.written = BytesOf(DType::kBf16, rows * layer.inter);
  Convert(rows * layer.inter, layer.dtype, activation);
  ExpertPass unpermute = Begin(layer, ExpertStep::kUnpermute);
  unpermute.read = BytesOf(DType::kBf16, rows * layer.hidden);
  unpermute.written = BytesOf(DType::kBf16, layer.tokens * layer.hidden);
  std::vector<Kernel> kernels;
  if (layer.routes) {
    ExpertPass route = Begin(layer, ExpertStep::kRoute);
    route.kernels = 4;  // softmax, top-k, and copies of what they chose
    kernels.push_back(route);
  }
  kernels.insert(kernels.end(),
                 {Permute(layer, rows), up, activation, down, unpermute});
  return kernels;
}

}  // namespace models
