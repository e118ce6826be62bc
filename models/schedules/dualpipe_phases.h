// The phases of DualPipe, which DualPipe-V shares: n ranks whose data flows
// through chunk 0 down to the last rank and comes back through chunk 1 (in
// DualPipe the other half of the ranks sends what comes back).
//
//   rank r of n, k microbatches through each chunk; F0 is a forward pass of
//   chunk 0, BW1 a whole backward pass of chunk 1, "+" a pair that overlaps
//     F0                 2(n-r-1) times   fill the pipeline
//     F0 F1              r+1
//     B1 W1 F1           n-r-1
//     F0+BW1 F1+BW0      k-2n+r+1         steady state; the last rank's first
//                                         pair does not overlap
//     BW1 F1+BW0         n-r-1            drain it
//     BW1 BW0            r+1, the second half of the passes split
//     W B0               n-r-1
//     W                  r+1
//
// DeepSeek-AI 2024 (arXiv:2412.19437), figure 5.
#ifndef MODELS_SCHEDULES_DUALPIPE_PHASES_H_
#define MODELS_SCHEDULES_DUALPIPE_PHASES_H_

#include <cstdint>
#include <vector>

#include "models/schedules/schedule.h"

namespace models {

struct DualPipeRank {
  int64_t ranks = 1;         // n
  int64_t rank = 0;          // r
  int64_t microbatches = 2;  // k >= 2n
  // Numbers of the first microbatch of each chunk.
  int64_t first[2] = {0, 0};
};

std::vector<Pass> DualPipePasses(const DualPipeRank& rank);

}  // namespace models

#endif  // MODELS_SCHEDULES_DUALPIPE_PHASES_H_
