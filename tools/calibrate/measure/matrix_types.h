// Types of matrix operands, and mma.sync over one step of k: 32 bytes of each
// row of A and of each column of B, whatever the type.
//
//   Mma<Matrix::kBf16>(d, a, b);   // d (16 x 8) += A (16 x 16) B (16 x 8)
#ifndef TOOLS_CALIBRATE_MEASURE_MATRIX_TYPES_H_
#define TOOLS_CALIBRATE_MEASURE_MATRIX_TYPES_H_

#include <cstdint>

namespace tools {

enum class Matrix { kBf16, kFp16, kTf32, kFp8 };

constexpr int BytesOfElement(Matrix type) {
  return type == Matrix::kTf32 ? 4 : type == Matrix::kFp8 ? 1 : 2;
}

#define ORRERY_MMA(shape)                                                      \
  asm volatile("mma.sync.aligned." shape                                       \
               " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "               \
               "{%10, %11, %12, %13};"                                         \
               : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])                \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1), \
                 "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]))

// d = A B + c. FP8 needs sm_89; below it nothing is done.
template <Matrix kType>
__device__ inline void Mma(float (&d)[4], const uint32_t (&a)[4], uint32_t b0,
                           uint32_t b1, const float (&c)[4]) {
  if constexpr (kType == Matrix::kBf16) {
    ORRERY_MMA("m16n8k16.row.col.f32.bf16.bf16.f32");
  } else if constexpr (kType == Matrix::kFp16) {
    ORRERY_MMA("m16n8k16.row.col.f32.f16.f16.f32");
  } else if constexpr (kType == Matrix::kTf32) {
    ORRERY_MMA("m16n8k8.row.col.f32.tf32.tf32.f32");
  } else {
#if __CUDA_ARCH__ >= 890
    ORRERY_MMA("m16n8k32.row.col.f32.e4m3.e4m3.f32");
#endif
  }
}

#undef ORRERY_MMA

}  // namespace tools

#endif  // TOOLS_CALIBRATE_MEASURE_MATRIX_TYPES_H_
