// Every call of a CUDA library is checked; one that fails ends the program, for
// after it nothing measured can be trusted.
//
//   CUDA_CHECK(cudaMemsetAsync(p, 0, n, stream));
//   // orrery-measure: gemm.cu:41: cudaMemsetAsync(…): out of memory; exit 1
//
// Tables written before it stay: each is written whole when its family is done.
#ifndef TOOLS_CALIBRATE_MEASURE_CUDA_CHECK_H_
#define TOOLS_CALIBRATE_MEASURE_CUDA_CHECK_H_

#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>

namespace tools {

[[noreturn]] inline void Die(const char* file, int line, const char* call,
                             const char* why) {
  std::fprintf(stderr, "orrery-measure: %s:%d: %s: %s\n", file, line, call,
               why);
  std::exit(1);
}

inline void CheckCuda(cudaError_t status, const char* file, int line,
                      const char* call) {
  if (status != cudaSuccess) Die(file, line, call, cudaGetErrorString(status));
}

}  // namespace tools

#define CUDA_CHECK(call) ::tools::CheckCuda((call), __FILE__, __LINE__, #call)

#endif  // TOOLS_CALIBRATE_MEASURE_CUDA_CHECK_H_
