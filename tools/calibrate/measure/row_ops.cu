#include <algorithm>
#include <cstdint>
#include <string>

#include "tools/calibrate/measure/cuda_check.h"
#include "tools/calibrate/measure/row_ops.h"

namespace tools {

RowTensors::RowTensors(const PointwiseCase& c, int inputs, int outputs,
                       Bench& bench, int first_width)
    : bench_(bench),
      rows_(c.rows),
      width_(c.width),
      inputs_(inputs),
      first_width_(first_width) {
  const int64_t tensors = inputs + outputs + first_width - 1;
  stride_ = (rows_ * width_ * tensors + 511) / 512 * 512;
  const double l2 = bench.card.l2CacheSize;
  const double bytes = static_cast<double>(stride_) * sizeof(Bf16);
  copies_ = static_cast<int>(std::clamp(2.5 * l2 / bytes + 1, 1.0, 64.0));
  l2_ = bytes * copies_ > 2 * l2 ? "cold"
        : bytes * copies_ > l2   ? "partial"
                                 : "warm";
  memory_ = bench.arena.Take<Bf16>(stride_ * copies_);
  if (!bench.arena.fits()) return;
  FillRandom(memory_, stride_ * copies_, "bf16", 1, 21, bench.stream);
  for (int i = 0; i < outputs; ++i) {
    Poison(out(i, 0), static_cast<size_t>(rows_ * width_) * sizeof(Bf16),
           bench.stream);
  }
}

Bf16* RowTensors::in(int which, int run) const {
  const int before = which == 0 ? 0 : which + first_width_ - 1;
  return memory_ + run % copies_ * stride_ + before * rows_ * width_;
}

Bf16* RowTensors::out(int which, int run) const {
  return in(inputs_ + which, run);
}

Row RowTensors::Read(const Bf16* tensor, int64_t row) const {
  return Read(tensor, row, width_);
}
Row RowTensors::Read(const Bf16* tensor, int64_t row, int64_t width) const {
  return ReadBack(tensor + row * width, width, "bf16", bench_.stream);
}

Outcome CheckedAndTimed(const PointwiseCase& c, const Effort& effort,
                        Bench& bench, const RowTensors& tensors,
                        const Launch& launch, const RowReference& reference) {
  constexpr double kTolerance = 5e-3;
  if (!bench.arena.fits()) return Skipped("does not fit in memory");
  if (!launch(0)) return Skipped("the kernel cannot be launched");
  for (const int64_t row : {int64_t{0}, c.rows / 2, c.rows - 1}) {
    const double error =
        RelativeError(tensors.Read(tensors.out(0, 0), row), reference(row));
    const std::string wrong =
        Verdict("row " + std::to_string(row), error, kTolerance);
    if (!wrong.empty()) return Wrong(wrong);
  }
  return Timed(c, bench, effort, launch, {"orrery-measure", "", tensors.l2()});
}

Bf16* TakeWeights(int64_t width, uint64_t seed, Bench& bench) {
  auto* weights = bench.arena.Take<Bf16>(width);
  if (bench.arena.fits()) {
    FillRandom(weights, width, "bf16", 1, seed, bench.stream);
  }
  return weights;
}

}  // namespace tools
