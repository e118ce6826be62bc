#include "sim/serving/histogram.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace sim {
namespace {

// Bucket 0 holds all below a microsecond; bucket i from 1.01^(i-1) of them on.
constexpr double kFirst = 1e6;  // ps
const double kLogWidth = std::log(1.01);

size_t BucketOf(Duration value) {
  const auto picoseconds = static_cast<double>(value.count());
  if (picoseconds < kFirst) return 0;
  return 1 + static_cast<size_t>(std::log(picoseconds / kFirst) / kLogWidth);
}

}  // namespace

void Histogram::Add(Duration value, int64_t times) {
  const size_t bucket = BucketOf(value);
  if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
  buckets_[bucket] += times;
  count_ += times;
  seconds_ += InSeconds(value) * static_cast<double>(times);
  largest_ = std::max(largest_, value);
}

void Histogram::Add(const Histogram& other) {
  if (other.buckets_.size() > buckets_.size()) {
    buckets_.resize(other.buckets_.size());
  }
  for (size_t b = 0; b < other.buckets_.size(); ++b) {
    buckets_[b] += other.buckets_[b];
  }
  count_ += other.count_;
  seconds_ += other.seconds_;
  largest_ = std::max(largest_, other.largest_);
}

Duration Histogram::Quantile(double share) const {
  assert(count_ > 0);
  // The product may be a rounding above the whole number that it stands for.
  const auto wanted = static_cast<int64_t>(
      std::ceil(share * static_cast<double>(count_) * (1 - 1e-14)));
  int64_t seen = 0;
  size_t bucket = 0;
  while (bucket + 1 < buckets_.size() &&
         (seen += buckets_[bucket]) < std::max<int64_t>(1, wanted)) {
    ++bucket;
  }
  if (bucket == 0) return std::min(largest_, Picoseconds(500'000));
  const double middle =
      kFirst * std::exp((static_cast<double>(bucket) - 0.5) * kLogWidth);
  return std::min(largest_, Picoseconds(static_cast<int64_t>(middle)));
}

}  // namespace sim
