// Element types of tensors, and the bytes they take.
//
//   BytesOf(DType::kFp8, 4096);  // 4096
//   NameOf(DType::kBf16);        // "bf16"
//
// To add a type: an enumerator, its bits and its name in dtype.cc, and its peak
// rate in hardware/gpu.proto.
#ifndef MODELS_DTYPE_H_
#define MODELS_DTYPE_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "sim/units.h"

namespace models {

// kTf32 is FP32 in memory and TF32 in the tensor cores.
enum class DType : uint8_t { kFp32, kTf32, kFp16, kBf16, kFp8, kInt8, kInt4 };
int BitsOf(DType dtype);                // 32, 32, 16, 16, 8, 8, 4
absl::string_view NameOf(DType dtype);  // "fp32", "tf32", "fp16", …
sim::Bytes BytesOf(DType dtype, int64_t elements);

}  // namespace models

#endif  // MODELS_DTYPE_H_
