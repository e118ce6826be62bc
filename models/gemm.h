// Matrix products, and the kernel that prepares an operand for them.
//
//   Gemm qkv{.m = 8192, .n = 10240, .k = 8192};  // cuBLAS, bf16
//   Gemm int4{.m = 16, .n = 10240, .k = 8192, .weight = DType::kInt4,
//             .family = GemmFamily::kWeightOnly};
//
// To add a family of kernels: an enumerator of GemmFamily, its name in op.cc,
// and its constants in hardware/calibration/*.textproto.
#ifndef MODELS_GEMM_H_
#define MODELS_GEMM_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "models/dtype.h"

namespace models {

// Whose kernels multiply. They differ in tiles, in who chooses them, and in
// what the main loop does beside multiplying.
enum class GemmFamily : uint8_t {
  kCublas,      // cuBLAS 12.4 and later, as PyTorch calls it
  kCublas2024,  // cuBLAS up to 12.3
  kCutlass,     // FP8 with a scale for each tensor: vLLM's CUTLASS kernels
  kDeepGemm,  // FP8 with scales for blocks of 128 x 128: SGLang's DeepGEMM …
  kTensorRtLlmBlocks,  // … and TensorRT-LLM's build of it
  kTensorRtLlmInt8,    // INT8 with scales for rows and columns
  kWeightOnly,  // TensorRT-LLM's: INT8 or INT4 weights become 16-bit on the way
};
// "cublas", "cublas-2024", "cutlass", "deepgemm", "tensorrt-llm-blocks", …
absl::string_view NameOf(GemmFamily family);

// C[m,n] (+)= A[m,k] B[k,n], `batch` times.
struct Gemm {
  int64_t batch = 1, m = 0, n = 0, k = 0;
  DType dtype = DType::kBf16;   // of the products: A and, as a rule, B
  DType output = DType::kBf16;  // C
  bool accumulate = false;      // reads C: weight gradients summed in place
  // B in memory, where it is narrower than the products: kInt8 or kInt4, of
  // kWeightOnly.
  std::optional<DType> weight = {};
  GemmFamily family = GemmFamily::kCublas;
  friend bool operator==(const Gemm&, const Gemm&) = default;
};

// Turns activations into the 8-bit type that a family multiplies and finds
// their scales: one for the tensor, for each row, or for each 128 of a row.
struct Quantise {
  int64_t rows = 0, columns = 0;
  GemmFamily family = GemmFamily::kCutlass;  // each has a kernel of its own
  DType from = DType::kBf16, to = DType::kFp8;
  friend bool operator==(const Quantise&, const Quantise&) = default;
};

}  // namespace models

#endif  // MODELS_GEMM_H_
