#include "hardware/gemm_cost.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hardware {
namespace {

// The main loop steps through k by so much.
constexpr double kStep = 64;

// REQUIRES: a and b are above zero, a / b below 2^63. std::ceil would be a
// call.
double CeilDiv(double a, double b) {
  const double quotient = a / b;
  const auto below = static_cast<double>(static_cast<int64_t>(quotient));
  return below < quotient ? below + 1 : below;
}

double Floor(double positive) {
  return static_cast<double>(static_cast<int64_t>(positive));
}

double Fourth(double x) { return (x * x) * (x * x); }

double BytesOf(models::DType dtype) { return models::BitsOf(dtype) / 8.0; }

// Factor on the rate of 16-bit products: asynchronous copies take 16 bytes where
// rows of n and of k elements are whole multiples of that; down to 4 bytes they
// take what divides the rows, and single elements go through registers.
double CopiesOf(const GemmLaw& law, const models::Gemm& g) {
  if (models::BitsOf(g.dtype) != 16 || (g.n | g.k) % 8 == 0) return 1;
  return (g.n | g.k) % 2 == 0 ? law.narrow_copies : law.element_copies;
}

// What does not depend on the tile.
struct Problem {
  double batch = 1, m = 0, n = 0, k = 0;
  double multiprocessors = 1;
  double slowness =
      1;  // of the tensor cores, over the benchmarks that were fitted
  double tensor_seconds = 0;  // of a multiply-add, on one multiprocessor
  double a_seconds = 0,
         b_seconds = 0;     // to fetch one element of A, of B, into one
  double sustained = 0;     // seconds of all FLOPs at the sustained rate
  double memory = 0;        // seconds
  double part_seconds = 0;  // of the reduction, each part of k
};

Problem ProblemOf(const GpuSpec& gpu, const PowerLaw& power, const GemmLaw& law,
                  const models::Gemm& g, L2 l2, double clock) {
  Problem p;
  p.slowness = 1 / (clock * CopiesOf(law, g));
  p.batch = static_cast<double>(g.batch);
  p.m = static_cast<double>(g.m);
  p.n = static_cast<double>(g.n);
  p.k = static_cast<double>(g.k);
  p.multiprocessors = static_cast<double>(gpu.multiprocessors);
  const double a = BytesOf(g.dtype);
  const double b = g.weight ? BytesOf(*g.weight) : a;
  const double feed =
      law.l2_per_sm *
      (models::BitsOf(g.dtype) == 8 ? law.eight_bit_l2_efficiency : 1);
  p.a_seconds = a / feed;
  p.b_seconds = b / feed;
  p.tensor_seconds = 2 * p.multiprocessors /
                     (law.tensor_efficiency * gpu.peak[g.dtype].count());
  const double outputs = p.batch * p.m * p.n;
  p.sustained = 2 * outputs * p.k / SustainedRate(gpu, power, g.dtype);
  const double weights =
      p.batch * p.n * p.k * b * (l2 == L2::kWarm ? law.warm_miss : 1);
  const double traffic = p.batch * p.m * p.k * a + weights +
                         outputs * BytesOf(g.output) * (g.accumulate ? 2 : 1);
  p.memory = law.memory_seconds +
             traffic / (law.memory_efficiency * gpu.memory_bandwidth.count());
  // Partial sums are FP32, written once and read once.
  if (law.split_waves > 0) p.part_seconds = 8 * outputs / law.reduction_rate;
  return p;
}

// The fastest so far.
struct Best {
  KernelCost cost;
  double seconds = std::numeric_limits<double>::infinity();

  // Whether something of these parts is faster: KernelCost::seconds() without
  // its roots.
  bool IsBeatenBy(double fixed, double compute, double memory) const {
    const double left = seconds - fixed;
    return left > 0 && Fourth(compute) + Fourth(memory) < Fourth(left);
  }
};

void TryTile(const Problem& p, const GemmLaw& law, const GemmLaw::Tile& tile,
             Best& best) {
  const double tiles = p.batch * CeilDiv(p.m, tile.m) * CeilDiv(p.n, tile.n);
  const double area = tile.m * tile.n;
  const double tensor = p.tensor_seconds * area;
  const double feed = p.a_seconds * tile.m + p.b_seconds * tile.n;
  const double step = law.asynchronous_copies
                          ? std::max(tensor, feed)
                          : std::sqrt(tensor * tensor + feed * feed);
  const double fixed =
      law.launch_seconds + law.epilogue_seconds * (area / (128 * 128));
  // However waves fall, all tiles take this long.
  const double least =
      p.slowness *
      std::max(step * p.k * tiles / p.multiprocessors, p.sustained);
  if (!best.IsBeatenBy(fixed, least, p.memory)) return;
  const auto take = [&](double parts, double reduce) {
    const double x = tiles * parts / p.multiprocessors;
    const double waves =
        std::max(1.0, x + law.wave_hardness * (CeilDiv(x, 1) - x));
    const double loop = step * kStep * CeilDiv(p.k, kStep * parts);
    const KernelCost cost{
        .fixed = fixed + reduce,
        .compute = p.slowness *
                   std::max(waves * loop + (waves - 1) * law.turnover_seconds,
                            p.sustained),
        .memory = p.memory};
    if (!best.IsBeatenBy(cost.fixed, cost.compute, cost.memory)) return;
    best = {cost, cost.seconds()};
  };
  take(1, 0);
  const double room = p.multiprocessors / tiles;  // parts that fill a wave
  if (law.split_waves * room < 2) return;
  const double most =
      std::min(p.k / kStep, 0.5 + std::sqrt(feed * p.k / p.part_seconds));
  double last = 1;
  for (int wave = 1; wave <= law.split_waves; ++wave) {
    const double parts = Floor(std::min(wave * room, most));
    if (parts <= last) continue;
    last = parts;
    const double reduce = law.split_seconds + parts * p.part_seconds;
    // More parts cost more: those that follow are no faster, either.
    if (!best.IsBeatenBy(fixed + reduce, least, p.memory)) return;
    take(parts, reduce);
  }
}

}  // namespace

double SustainedRate(const GpuSpec& gpu, const PowerLaw& power,
                     models::DType dtype) {
  double fraction = power.sustained[dtype];
  if (gpu.power_watts != power.reference_watts) {
    const double headroom = (gpu.power_watts - power.static_watts) /
                            (power.reference_watts - power.static_watts);
    fraction *= std::pow(headroom, power.exponent);
  }
  return gpu.peak[dtype].count() * std::min(1.0, fraction);
}

bool Runs(const Calibration& calibration, const models::Gemm& gemm) {
  return calibration.gemm.of[gemm.family].launch_seconds > 0;
}

bool Runs(const Calibration& calibration, const models::Quantise& quantise) {
  return calibration.gemm.of[quantise.family].quantise_seconds > 0;
}

KernelCost CostOf(const GpuSpec& gpu, const Calibration& calibration,
                  const models::Gemm& gemm, L2 l2, double clock) {
  const GemmLaw& law = calibration.gemm.of[gemm.family];
  const Problem problem =
      ProblemOf(gpu, calibration.power, law, gemm, l2, clock);
  Best best;
  for (const GemmLaw::Tile& tile : law.tiles) {
    if (problem.m < tile.least_rows || problem.m > tile.most_rows) continue;
    TryTile(problem, law, tile, best);
  }
  return best.cost;
}

KernelCost CostOf(const GpuSpec& gpu, const Calibration& calibration,
                  const models::Quantise& quantise) {
  const GemmLaw& law = calibration.gemm.of[quantise.family];
  const double bytes = static_cast<double>(quantise.rows) *
                       static_cast<double>(quantise.columns) *
                       (BytesOf(quantise.from) + BytesOf(quantise.to));
  return {.fixed = law.quantise_seconds,
          .compute = 0,
          .memory = bytes / std::min(law.quantise_per_sm * gpu.multiprocessors,
                                     law.memory_efficiency *
                                         gpu.memory_bandwidth.count())};
}

}  // namespace hardware
