// What the kernels bound by memory share: their tensors, in as many copies as
// keep L2 cold, and the comparison of sampled rows with a reference.
//
//   RowTensors t(c, 2, 1, bench);          // two inputs, one output
//   const auto launch = [&](int run) { Add<<<…>>>(t.in(0, run), …); … };
//   return CheckedAndTimed(c, effort, bench, t, launch, [&](int64_t row) {
//     return Expected{t.Read(t.in(0, 0), row), …};
//   });
//
// To add one: its bytes in work.cc, its kernel in the file of its kind, and a
// row in kOps of pointwise.cu.
#ifndef TOOLS_CALIBRATE_MEASURE_ROW_OPS_H_
#define TOOLS_CALIBRATE_MEASURE_ROW_OPS_H_

#include <cuda_bf16.h>

#include <cstdint>
#include <functional>

#include "tools/calibrate/cases.h"
#include "tools/calibrate/measure/bench.h"
#include "tools/calibrate/measure/timing.h"
#include "tools/calibrate/plan.h"
#include "tools/calibrate/reference.h"

namespace tools {

using Bf16 = __nv_bfloat16;

class RowTensors {
 public:
  // Inputs of random numbers, outputs poisoned, each rows x width (the first
  // input `first_width` times as wide), in one to 64 copies.
  RowTensors(const PointwiseCase& c, int inputs, int outputs, Bench& bench,
             int first_width = 1);

  Bf16* in(int which, int run) const;
  Bf16* out(int which, int run) const;
  const char* l2() const { return l2_; }  // cold, partial or warm
  // One row of a tensor of this width, or of `width`, on the host.
  Row Read(const Bf16* tensor, int64_t row) const;
  Row Read(const Bf16* tensor, int64_t row, int64_t width) const;
  int64_t rows() const { return rows_; }
  int64_t width() const { return width_; }

 private:
  Bench& bench_;
  int64_t rows_, width_, stride_;  // elements from copy to copy
  int inputs_, first_width_, copies_ = 1;
  Bf16* memory_ = nullptr;
  const char* l2_ = "cold";
};

// What row `row` of output 0 is to be.
using RowReference = std::function<Row(int64_t row)>;

// Runs once, compares the first, middle and last row of output 0, and times.
// The tolerance is of BF16: 8 bits, rounded once or twice.
Outcome CheckedAndTimed(const PointwiseCase& c, const Effort& effort,
                        Bench& bench, const RowTensors& tensors,
                        const Launch& launch, const RowReference& reference);

// Random weights of one row, the same in every call: mean 0, deviation 1.
Bf16* TakeWeights(int64_t width, uint64_t seed, Bench& bench);

using PointwiseMeasure = Outcome (*)(const PointwiseCase& c,
                                     const Effort& effort, Bench& bench);
// pointwise.cu holds the element-wise ones; the others:
Outcome MeasureNorm(const PointwiseCase& c, const Effort& effort, Bench& bench);
Outcome MeasureNormBackward(const PointwiseCase& c, const Effort& effort,
                            Bench& bench);
Outcome MeasureSoftmax(const PointwiseCase& c, const Effort& effort,
                       Bench& bench);
Outcome MeasureCrossEntropy(const PointwiseCase& c, const Effort& effort,
                            Bench& bench);
Outcome MeasureAdam(const PointwiseCase& c, const Effort& effort, Bench& bench);

}  // namespace tools

#endif  // TOOLS_CALIBRATE_MEASURE_ROW_OPS_H_
