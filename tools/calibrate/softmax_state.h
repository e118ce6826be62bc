// The softmax of a row whose scores come a piece at a time: the largest so far,
// the sum of 2^(score - largest), and what earlier sums must be multiplied by.
//
//   SoftmaxState s;                       // of scores 1, 3, then 2
//   s.Raise(3);                           // returns 0: nothing came before
//   s.sum += Weight(1, s.most) + 1;       // 2^-2 + 1
//   s.sum *= s.Raise(2);                  // returns 1
//   s.sum += Weight(2, s.most);           // 1.75 = (2^1 + 2^3 + 2^2) / 2^3
//
// Scores are in units of log 2. The same on the host, where tests run it.
#ifndef TOOLS_CALIBRATE_SOFTMAX_STATE_H_
#define TOOLS_CALIBRATE_SOFTMAX_STATE_H_

#include <cmath>

#ifdef __CUDACC__
#define ORRERY_SOFTMAX __host__ __device__ inline
#else
#define ORRERY_SOFTMAX inline
#endif

namespace tools {

// 2^(score - most); 0 for a score that is masked, even where all are.
ORRERY_SOFTMAX float Weight(float score, float most) {
  return score == -INFINITY ? 0.0f : exp2f(score - most);
}

struct SoftmaxState {
  float most = -INFINITY;
  float sum = 0;

  // Takes note of a score; returns the factor for what was summed before.
  ORRERY_SOFTMAX float Raise(float score) {
    const float before = most;
    most = fmaxf(most, score);
    return Weight(before, most);
  }

  // log2 of the sum of 2^score.
  ORRERY_SOFTMAX float LogSum() const { return most + log2f(sum); }
};

}  // namespace tools

#endif  // TOOLS_CALIBRATE_SOFTMAX_STATE_H_
