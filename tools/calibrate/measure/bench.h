// The card, its memory and its stream: what every measurement is given, and
// what it answers.
//
//   Outcome MeasureAdd(const PointwiseCase& c, const Effort& effort, Bench& b)
//   {
//     auto* x = b.arena.Take<float>(c.rows * c.width);
//     if (!b.arena.fits()) return Skipped("does not fit in memory");
//     …run once, compare with a reference: return Wrong(…) if it is off…
//     return Timed(c, b, effort, [&](int run) { Add<<<…, b.stream>>>(x); …});
//   }
#ifndef TOOLS_CALIBRATE_MEASURE_BENCH_H_
#define TOOLS_CALIBRATE_MEASURE_BENCH_H_

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/calibrate/measure/device_state.h"
#include "tools/calibrate/op_rows.h"

namespace tools {

// Device memory taken once and dealt out in turn, a new case from its start.
class Arena {
 public:
  explicit Arena(size_t bytes);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // `count` elements, aligned to 1024 bytes. Once the memory is used up,
  // fits() is false until Reset, and what is returned must not be used.
  template <class T>
  T* Take(int64_t count) {
    return static_cast<T*>(TakeBytes(static_cast<size_t>(count) * sizeof(T)));
  }
  void* TakeBytes(size_t bytes);
  bool fits() const { return fits_; }
  size_t left() const { return bytes_ - used_; }
  void Reset();

 private:
  char* memory_ = nullptr;
  size_t bytes_, used_ = 0;
  bool fits_ = true;
};

class Stream {
 public:
  Stream();
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

class Event {
 public:
  Event();
  ~Event();
  Event(Event&& other) noexcept : event_(other.event_) {
    other.event_ = nullptr;
  }
  Event& operator=(Event&&) = delete;
  operator cudaEvent_t() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

struct Bench {
  explicit Bench(int device);

  cudaDeviceProp card;
  int capability;           // 80, 90: the architecture's number
  bool check_only = false;  // of every case the check alone
  DeviceState state;
  Stream stream;
  Arena arena;
};

// What became of a case.
struct Outcome {
  enum class Kind { kMeasured, kChecked, kSkipped, kWrong };
  Kind kind = Kind::kSkipped;
  Measurement measured;
  std::string reason;  // of kSkipped and kWrong
};

Outcome Skipped(const std::string& reason);
Outcome Wrong(const std::string& reason);

// How far a result is off: the norm of its difference from a reference over
// the norm of the reference; infinite if either holds what is not a number.
double RelativeError(const std::vector<double>& result,
                     const std::vector<double>& reference);

// Empty if `error` is at most `tolerance`, else what is wrong:
//   "dQ: error 0.031, tolerance 0.02"
std::string Verdict(const std::string& what, double error, double tolerance);

// ---- Tensors -------------------------------------------------------------

// Types as the tables name them: bf16, fp16, fp8, w8a8_int8, fp32; and i32.
// Values of mean 0 and, but for whole numbers, deviation `scale`; the same for
// the same seed. Whole numbers: uniform from -scale to scale.
void FillRandom(void* tensor, int64_t elements, const std::string& dtype,
                double scale, uint64_t seed, cudaStream_t stream);
// Every byte 0xff, NaN in each type that has one: what a kernel leaves
// unwritten is seen.
void Poison(void* tensor, size_t bytes, cudaStream_t stream);
// Waits for the stream, then copies to the host.
std::vector<double> ReadBack(const void* tensor, int64_t elements,
                             const std::string& dtype, cudaStream_t stream);

// Blocks for a grid-stride kernel: as many as reside on the card at once.
int Blocks(const Bench& bench, int64_t elements, int threads);

}  // namespace tools

#endif  // TOOLS_CALIBRATE_MEASURE_BENCH_H_
