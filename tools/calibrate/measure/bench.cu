#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tools/calibrate/cases.h"
#include "tools/calibrate/measure/bench.h"
#include "tools/calibrate/measure/cuda_check.h"
#include "tools/calibrate/measure/random.h"

namespace tools {
namespace {

// A round number of bytes that leaves room for libraries' own.
size_t ArenaBytes() {
  size_t free = 0, total = 0;
  CUDA_CHECK(cudaMemGetInfo(&free, &total));
  constexpr size_t kMost = size_t{24} << 30;
  return std::min(kMost, free / 10 * 6) >> 20 << 20;
}

cudaDeviceProp PropertiesOf(int device) {
  CUDA_CHECK(cudaSetDevice(device));
  cudaDeviceProp card;
  CUDA_CHECK(cudaGetDeviceProperties(&card, device));
  return card;
}

template <class T>
__global__ void Fill(T* tensor, int64_t elements, float scale, uint64_t seed) {
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < elements;
       i += step) {
    tensor[i] = static_cast<T>(scale * RandomNormal(seed, i));
  }
}

template <class T>
__global__ void FillWhole(T* tensor, int64_t elements, int most,
                          uint64_t seed) {
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < elements;
       i += step) {
    tensor[i] = static_cast<T>(RandomWhole(seed, i, most));
  }
}

template <class T>
std::vector<double> Copy(const void* tensor, int64_t elements,
                         cudaStream_t stream) {
  std::vector<T> host(static_cast<size_t>(elements));
  CUDA_CHECK(cudaMemcpyAsync(host.data(), tensor, host.size() * sizeof(T),
                             cudaMemcpyDeviceToHost, stream));
  CUDA_CHECK(cudaStreamSynchronize(stream));
  std::vector<double> values;
  values.reserve(host.size());
  for (const T& value : host) {
    values.push_back(static_cast<double>(static_cast<float>(value)));
  }
  return values;
}

}  // namespace

Arena::Arena(size_t bytes) : bytes_(bytes) {
  CUDA_CHECK(cudaMalloc(&memory_, bytes));
}
Arena::~Arena() { cudaFree(memory_); }

void* Arena::TakeBytes(size_t bytes) {
  constexpr size_t kAlignment = 1024;
  const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  if (rounded > left()) {
    fits_ = false;
    return memory_;
  }
  void* taken = memory_ + used_;
  used_ += rounded;
  return taken;
}

void Arena::Reset() {
  used_ = 0;
  fits_ = true;
}

Stream::Stream() {
  CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
}
Stream::~Stream() { cudaStreamDestroy(stream_); }

Event::Event() { CUDA_CHECK(cudaEventCreate(&event_)); }
Event::~Event() {
  if (event_ != nullptr) cudaEventDestroy(event_);
}

Bench::Bench(int device)
    : card(PropertiesOf(device)),
      capability(card.major * 10 + card.minor),
      state(card.pciDomainID, card.pciBusID, card.pciDeviceID),
      arena(ArenaBytes()) {}

Outcome Skipped(const std::string& reason) {
  return {Outcome::Kind::kSkipped, {}, reason};
}
Outcome Wrong(const std::string& reason) {
  return {Outcome::Kind::kWrong, {}, reason};
}

double RelativeError(const std::vector<double>& result,
                     const std::vector<double>& reference) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < reference.size(); ++i) {
    const double off = result[i] - reference[i];
    difference += off * off;
    norm += reference[i] * reference[i];
  }
  if (!std::isfinite(difference) || !std::isfinite(norm)) {
    return std::numeric_limits<double>::infinity();
  }
  if (norm == 0) return std::sqrt(difference);
  return std::sqrt(difference / norm);
}

std::string Verdict(const std::string& what, double error, double tolerance) {
  if (error <= tolerance) return "";
  char text[160];
  std::snprintf(text, sizeof text, "%s: error %.3g, tolerance %.3g",
                what.c_str(), error, tolerance);
  return text;
}

void FillRandom(void* tensor, int64_t elements, const std::string& dtype,
                double scale, uint64_t seed, cudaStream_t stream) {
  constexpr int kThreads = 256, kBlocks = 2048;
  const auto deviation = static_cast<float>(scale);
  if (dtype == "bf16") {
    Fill<<<kBlocks, kThreads, 0, stream>>>(static_cast<__nv_bfloat16*>(tensor),
                                           elements, deviation, seed);
  } else if (dtype == "fp16") {
    Fill<<<kBlocks, kThreads, 0, stream>>>(static_cast<__half*>(tensor),
                                           elements, deviation, seed);
  } else if (dtype == "fp8") {
    Fill<<<kBlocks, kThreads, 0, stream>>>(static_cast<__nv_fp8_e4m3*>(tensor),
                                           elements, deviation, seed);
  } else if (dtype == "fp32") {
    Fill<<<kBlocks, kThreads, 0, stream>>>(static_cast<float*>(tensor),
                                           elements, deviation, seed);
  } else if (dtype == "w8a8_int8") {
    FillWhole<<<kBlocks, kThreads, 0, stream>>>(
        static_cast<int8_t*>(tensor), elements, static_cast<int>(scale), seed);
  } else if (dtype == "i32") {
    FillWhole<<<kBlocks, kThreads, 0, stream>>>(
        static_cast<int32_t*>(tensor), elements, static_cast<int>(scale), seed);
  } else {
    Die(__FILE__, __LINE__, "FillRandom", ("unknown type " + dtype).c_str());
  }
  CUDA_CHECK(cudaGetLastError());
}

void Poison(void* tensor, size_t bytes, cudaStream_t stream) {
  CUDA_CHECK(cudaMemsetAsync(tensor, 0xff, bytes, stream));
}

std::vector<double> ReadBack(const void* tensor, int64_t elements,
                             const std::string& dtype, cudaStream_t stream) {
  if (dtype == "bf16") return Copy<__nv_bfloat16>(tensor, elements, stream);
  if (dtype == "fp16") return Copy<__half>(tensor, elements, stream);
  if (dtype == "fp8") return Copy<__nv_fp8_e4m3>(tensor, elements, stream);
  if (dtype == "fp32") return Copy<float>(tensor, elements, stream);
  if (dtype == "w8a8_int8") return Copy<int8_t>(tensor, elements, stream);
  if (dtype == "i32") return Copy<int32_t>(tensor, elements, stream);
  Die(__FILE__, __LINE__, "ReadBack", ("unknown type " + dtype).c_str());
}

int Blocks(const Bench& bench, int64_t elements, int threads) {
  const int64_t wanted = (elements + threads - 1) / threads;
  const int64_t resident = int64_t{bench.card.multiProcessorCount} *
                           (bench.card.maxThreadsPerMultiProcessor / threads);
  return static_cast<int>(std::max<int64_t>(1, std::min(wanted, resident)));
}

}  // namespace tools
