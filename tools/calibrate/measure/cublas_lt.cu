#include <cublasLt.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tools/calibrate/measure/cublas_lt.h"
#include "tools/calibrate/measure/cuda_check.h"

namespace tools {
namespace {

void CheckLt(cublasStatus_t status, int line, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS) {
    Die(__FILE__, line, call, cublasLtGetStatusString(status));
  }
}
#define LT_CHECK(call) CheckLt((call), __LINE__, #call)

// One handle for the program, made at the first use.
class Handle {
 public:
  Handle() { LT_CHECK(cublasLtCreate(&handle_)); }
  ~Handle() { cublasLtDestroy(handle_); }
  operator cublasLtHandle_t() const { return handle_; }

 private:
  cublasLtHandle_t handle_ = nullptr;
};
const Handle& TheHandle() {
  static const Handle handle;
  return handle;
}

struct Types {
  cudaDataType_t in, out, scale;
  cublasComputeType_t compute;
};
Types TypesOf(const std::string& dtype) {
  if (dtype == "bf16") {
    return {CUDA_R_16BF, CUDA_R_16BF, CUDA_R_32F, CUBLAS_COMPUTE_32F};
  }
  if (dtype == "fp16") {
    return {CUDA_R_16F, CUDA_R_16F, CUDA_R_32F, CUBLAS_COMPUTE_32F};
  }
  if (dtype == "fp8") {
    return {CUDA_R_8F_E4M3, CUDA_R_16BF, CUDA_R_32F, CUBLAS_COMPUTE_32F};
  }
  return {CUDA_R_8I, CUDA_R_32I, CUDA_R_32I, CUBLAS_COMPUTE_32I};
}

template <class Value>
void Set(cublasLtMatmulDesc_t operation,
         cublasLtMatmulDescAttributes_t attribute, const Value& value) {
  LT_CHECK(cublasLtMatmulDescSetAttribute(operation, attribute, &value,
                                          sizeof value));
}

}  // namespace

LtGemm::LtGemm(const GemmCase& c, int candidates, void* workspace,
               size_t workspace_bytes)
    : workspace_(workspace),
      workspace_bytes_(workspace_bytes),
      whole_(c.dtype == "w8a8_int8") {
  const Types types = TypesOf(c.dtype);
  LT_CHECK(cublasLtMatmulDescCreate(&operation_, types.compute, types.scale));
  Set(operation_, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
  if (c.dtype == "fp8") {
    // As inference engines and Transformer Engine's forward pass have it.
    Set(operation_, CUBLASLT_MATMUL_DESC_FAST_ACCUM, int8_t{1});
  }
  const auto m = static_cast<uint64_t>(c.m), n = static_cast<uint64_t>(c.n),
             k = static_cast<uint64_t>(c.k);
  LT_CHECK(cublasLtMatrixLayoutCreate(&w_, types.in, k, n, c.k));
  LT_CHECK(cublasLtMatrixLayoutCreate(&x_, types.in, k, m, c.k));
  LT_CHECK(cublasLtMatrixLayoutCreate(&y_, types.out, n, m, c.n));
  cublasLtMatmulPreference_t preference = nullptr;
  LT_CHECK(cublasLtMatmulPreferenceCreate(&preference));
  LT_CHECK(cublasLtMatmulPreferenceSetAttribute(
      preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace_bytes,
      sizeof workspace_bytes));
  found_.resize(static_cast<size_t>(candidates));
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      TheHandle(), operation_, w_, x_, y_, y_, preference, candidates,
      found_.data(), &found);
  found_.resize(
      static_cast<size_t>(status == CUBLAS_STATUS_SUCCESS ? found : 0));
  cublasLtMatmulPreferenceDestroy(preference);
}

LtGemm::~LtGemm() {
  cublasLtMatrixLayoutDestroy(x_);
  cublasLtMatrixLayoutDestroy(w_);
  cublasLtMatrixLayoutDestroy(y_);
  cublasLtMatmulDescDestroy(operation_);
}

void LtGemm::SetScales(const float* x_scale, const float* w_scale) {
  Set(operation_, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, w_scale);
  Set(operation_, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, x_scale);
}

cublasStatus_t LtGemm::Run(int algorithm, const void* x, const void* w, void* y,
                           cudaStream_t stream) {
  const float one = 1, zero = 0;
  const int32_t whole_one = 1, whole_zero = 0;
  const void* alpha = &one;
  const void* beta = &zero;
  if (whole_) {
    alpha = &whole_one;
    beta = &whole_zero;
  }
  return cublasLtMatmul(TheHandle(), operation_, alpha, w, w_, x, x_, beta, y,
                        y_, y, y_, &found_[static_cast<size_t>(algorithm)].algo,
                        workspace_, workspace_bytes_, stream);
}

std::string CublasLtVersion() {
  const size_t v = cublasLtGetVersion();  // 130100 is 13.1.0
  return "cublaslt-" + std::to_string(v / 10000) + "." +
         std::to_string(v / 100 % 100) + "." + std::to_string(v % 100);
}

}  // namespace tools
