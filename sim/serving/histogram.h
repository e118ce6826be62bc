// How often which duration occurred, in buckets whose bounds differ by 1 %: a
// quantile is within 0.5 % of the exact one, whatever their number.
//
//   Histogram h;
//   h.Add(Milliseconds(12), 64);
//   h.Quantile(0.99);  // 12.0 ms
//   h.mean();          // exact
#ifndef SIM_SERVING_HISTOGRAM_H_
#define SIM_SERVING_HISTOGRAM_H_

#include <cstdint>
#include <vector>

#include "sim/units.h"

namespace sim {

class Histogram {
 public:
  void Add(Duration value, int64_t times = 1);  // REQUIRES: value >= 0
  void Add(const Histogram& other);

  int64_t count() const { return count_; }
  double mean_seconds() const {  // 0 if empty
    return count_ > 0 ? seconds_ / static_cast<double>(count_) : 0;
  }
  // The middle of the bucket in which that share of the values ends; at most
  // the largest value. REQUIRES: count() > 0, 0 <= share <= 1.
  Duration Quantile(double share) const;
  Duration largest() const { return largest_; }

 private:
  std::vector<int64_t> buckets_;
  int64_t count_ = 0;
  double seconds_ = 0;
  Duration largest_;
};

}  // namespace sim

#endif  // SIM_SERVING_HISTOGRAM_H_
