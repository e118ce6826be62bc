// One cuBLASLt product, y[m,n] = x[m,k] W[n,k]^T with all three by rows, and
// the algorithms that its heuristics offer for it.
//
//   LtGemm gemm({"bf16", 16, 28672, 4096, false}, 8, workspace, bytes);
//   gemm.algorithms()                       // up to 8; 0: not supported
//   gemm.Run(0, x, w, y, bench.stream)      // CUBLAS_STATUS_SUCCESS
//
// In cuBLAS's own terms, by columns: y^T = op(W) x^T, with W^T transposed: the
// one order that FP8 has.
#ifndef TOOLS_CALIBRATE_MEASURE_CUBLAS_LT_H_
#define TOOLS_CALIBRATE_MEASURE_CUBLAS_LT_H_

#include <cublasLt.h>

#include <cstddef>
#include <string>
#include <vector>

#include "tools/calibrate/cases.h"

namespace tools {

class LtGemm {
 public:
  LtGemm(const GemmCase& c, int candidates, void* workspace,
         size_t workspace_bytes);
  ~LtGemm();
  LtGemm(const LtGemm&) = delete;
  LtGemm& operator=(const LtGemm&) = delete;

  // FP8: what x and W are multiplied by, one float each on the device.
  void SetScales(const float* x_scale, const float* w_scale);
  int algorithms() const { return static_cast<int>(found_.size()); }
  cublasStatus_t Run(int algorithm, const void* x, const void* w, void* y,
                     cudaStream_t stream);

 private:
  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatrixLayout_t x_ = nullptr, w_ = nullptr, y_ = nullptr;
  void* workspace_;
  size_t workspace_bytes_;
  bool whole_ = false;  // INT8 into INT32
  std::vector<cublasLtMatmulHeuristicResult_t> found_;
};

// "cublaslt-13.1.0"
std::string CublasLtVersion();

}  // namespace tools

#endif  // TOOLS_CALIBRATE_MEASURE_CUBLAS_LT_H_
