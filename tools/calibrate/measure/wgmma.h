// wgmma.mma_async.m64n256: one warpgroup multiplies 64 rows by 256 columns over
// 32 bytes of k, both operands in shared memory (fragments.h says how).
//
//   WgmmaFence();
//   Wgmma<Matrix::kBf16>(d, OperandDescriptor(a), OperandDescriptor(b), false);
//   WgmmaCommit();
//   WgmmaWait<0>();   // d[i] is element (WideRow(thread, i), WideColumn(…))
//
// For sm_90a alone: elsewhere the functions are empty.
#ifndef TOOLS_CALIBRATE_MEASURE_WGMMA_H_
#define TOOLS_CALIBRATE_MEASURE_WGMMA_H_

#include <cstdint>

#include "tools/calibrate/measure/matrix_types.h"

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define ORRERY_HAS_WGMMA 1
#else
#define ORRERY_HAS_WGMMA 0
#endif

namespace tools {

__device__ inline void WgmmaFence() {
#if ORRERY_HAS_WGMMA
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}
__device__ inline void WgmmaCommit() {
#if ORRERY_HAS_WGMMA
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}
// Until at most kPending committed groups are unfinished.
template <int kPending>
__device__ inline void WgmmaWait() {
#if ORRERY_HAS_WGMMA
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
#endif
}

#define ORRERY_WGMMA_REGISTERS                                                 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "     \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, "     \
  "%30, %31, "                                                                 \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, "     \
  "%46, %47, "                                                                 \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, "     \
  "%62, %63, "                                                                 \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, "     \
  "%78, %79, "                                                                 \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, "     \
  "%94, %95, "                                                                 \
  "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, " \
  "%109, %110, %111, "                                                         \
  "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, "   \
  "%124, %125, %126, %127"
#define ORRERY_4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define ORRERY_16(i) \
  ORRERY_4(i), ORRERY_4(i + 4), ORRERY_4(i + 8), ORRERY_4(i + 12)
#define ORRERY_64(i) \
  ORRERY_16(i), ORRERY_16(i + 16), ORRERY_16(i + 32), ORRERY_16(i + 48)
#define ORRERY_WGMMA(shape, tail)                                              \
  asm volatile(                                                                \
      "{.reg .pred p; setp.ne.b32 p, %130, 0; "                                \
      "wgmma.mma_async.sync.aligned.m64n256" shape " {" ORRERY_WGMMA_REGISTERS \
      "}, %128, %129, p, " tail "; }"                                          \
      : ORRERY_64(0), ORRERY_64(64)                                            \
      : "l"(a), "l"(b), "r"(static_cast<int>(add)))

// d += A B, or d = A B unless `add`.
template <Matrix kType>
__device__ inline void Wgmma(float (&d)[128], uint64_t a, uint64_t b,
                             bool add) {
#if ORRERY_HAS_WGMMA
  if constexpr (kType == Matrix::kBf16) {
    ORRERY_WGMMA("k16.f32.bf16.bf16", "1, 1, 0, 0");
  } else if constexpr (kType == Matrix::kFp16) {
    ORRERY_WGMMA("k16.f32.f16.f16", "1, 1, 0, 0");
  } else if constexpr (kType == Matrix::kTf32) {
    ORRERY_WGMMA("k8.f32.tf32.tf32", "1, 1");
  } else {
    ORRERY_WGMMA("k32.f32.e4m3.e4m3", "1, 1");
  }
#endif
}

#undef ORRERY_WGMMA
#undef ORRERY_64
#undef ORRERY_16
#undef ORRERY_4
#undef ORRERY_WGMMA_REGISTERS

}  // namespace tools

#endif  // TOOLS_CALIBRATE_MEASURE_WGMMA_H_
