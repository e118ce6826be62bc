// The families that main.cu measures, besides the roofline. One function each:
// checks a case, then times it.
#ifndef TOOLS_CALIBRATE_MEASURE_FAMILIES_H_
#define TOOLS_CALIBRATE_MEASURE_FAMILIES_H_

#include "tools/calibrate/cases.h"
#include "tools/calibrate/measure/bench.h"
#include "tools/calibrate/plan.h"

namespace tools {

Outcome MeasureGemm(const GemmCase& c, const Effort& effort, Bench& bench);
// By c.kernel: our own (attention.cu) or cuDNN's (cudnn_attention.cu).
Outcome MeasureAttention(const AttentionCase& c, const Effort& effort,
                         Bench& bench);
Outcome MeasureCudnnAttention(const AttentionCase& c, const Effort& effort,
                              Bench& bench);
Outcome MeasurePointwise(const PointwiseCase& c, const Effort& effort,
                         Bench& bench);
Outcome MeasureExperts(const ExpertCase& c, const Effort& effort, Bench& bench);
// All GPUs of this machine; `bench` is on the first.
Outcome MeasureCollective(const CollectiveCase& c, const Effort& effort,
                          Bench& bench);

}  // namespace tools

#endif  // TOOLS_CALIBRATE_MEASURE_FAMILIES_H_
