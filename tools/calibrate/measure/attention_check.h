// Tensors of an attention case on the card, and the comparison of sampled
// queries and keys with the reference in double precision. The same for every
// kernel that is measured.
#ifndef TOOLS_CALIBRATE_MEASURE_ATTENTION_CHECK_H_
#define TOOLS_CALIBRATE_MEASURE_ATTENTION_CHECK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tools/calibrate/cases.h"
#include "tools/calibrate/measure/attention_kernels.h"
#include "tools/calibrate/measure/bench.h"

namespace tools {

// Random inputs and poisoned outputs, keys and values in as many copies as keep
// L2 cold: element i is for the runs with run % size() == i. The copies share
// all else. Empty if they do not fit in memory.
std::vector<AttentionTensors> MakeAttention(const AttentionCase& c,
                                            Bench& bench);
// cold, partial or warm.
const char* L2Of(const AttentionCase& c, size_t copies, const Bench& bench);

// Empty, or what is wrong with `out` of sampled queries. With `log_sums` those,
// too.
std::string CheckAttended(const AttentionCase& c, const AttentionTensors& t,
                          bool log_sums, Bench& bench);
// The same of the three gradients. REQUIRES: out and log_sums were checked.
std::string CheckGradients(const AttentionCase& c, const AttentionTensors& t,
                           Bench& bench);

}  // namespace tools

#endif  // TOOLS_CALIBRATE_MEASURE_ATTENTION_CHECK_H_
