#include "models/dtype.h"

namespace models {

int BitsOf(DType dtype) {
  switch (dtype) {
    case DType::kFp32:
    case DType::kTf32:
      return 32;
    case DType::kFp16:
    case DType::kBf16:
      return 16;
    case DType::kFp8:
    case DType::kInt8:
      return 8;
    case DType::kInt4:
      return 4;
  }
  return 0;
}

absl::string_view NameOf(DType dtype) {
  constexpr absl::string_view kNames[] = {"fp32", "tf32", "fp16", "bf16",
                                          "fp8",  "int8", "int4"};
  return kNames[static_cast<size_t>(dtype)];
}

sim::Bytes BytesOf(DType dtype, int64_t elements) {
  return sim::Bytes((elements * BitsOf(dtype) + 7) / 8);
}

}  // namespace models
