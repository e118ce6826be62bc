// Measures our own attention; hands cuDNN's cases to cudnn_attention.cu.
#include <algorithm>
#include <string>
#include <vector>

#include "tools/calibrate/measure/attention_check.h"
#include "tools/calibrate/measure/attention_kernels.h"
#include "tools/calibrate/measure/families.h"
#include "tools/calibrate/measure/timing.h"

namespace tools {
namespace {

bool Attend(const AttentionCase& c, const AttentionTensors& t, Bench& bench) {
  if (c.q_len == 1 && !c.causal) return AttendDecode(c, t, bench.stream);
  return AttendForward(c, t, bench.stream);
}

}  // namespace

Outcome MeasureAttention(const AttentionCase& c, const Effort& effort,
                         Bench& bench) {
  if (c.kernel == "cudnn") return MeasureCudnnAttention(c, effort, bench);
  const std::vector<AttentionTensors> copies = MakeAttention(c, bench);
  if (copies.empty()) return Skipped("does not fit in memory");
  if (!Attend(c, copies[0], bench)) {
    return Skipped("the kernel has no such type or head");
  }
  std::string wrong = CheckAttended(c, copies[0], true, bench);
  if (wrong.empty() && c.backward) {
    AttendBackward(c, copies[0], bench.stream);
    wrong = CheckGradients(c, copies[0], bench);
  }
  if (!wrong.empty()) return Wrong(wrong);
  Effort all = effort;
  if (!c.backward && c.q_len == 1) {
    all.runs = std::max(effort.runs, static_cast<int>(copies.size()));
  }
  return Timed(c, bench, all,
               [&](int run) {
                 const auto turn = static_cast<size_t>(run) % copies.size();
                 if (!c.backward) return Attend(c, copies[turn], bench);
                 // Its log_sums are of the first copy.
                 return AttendBackward(c, copies[0], bench.stream);
               },
               {"orrery-measure-fa2", "", L2Of(c, copies.size(), bench)});
}

}  // namespace tools
